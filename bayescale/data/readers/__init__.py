"""Readers: one file per format, each gives a Ladder."""

from bayescale.data.readers.gadre2024 import read_gadre as read_gadre
from bayescale.data.readers.ladder2024 import read_checkpoints as read_checkpoints
from bayescale.data.readers.runs import read_runs as read_runs
from bayescale.data.readers.tidy import read_csv as read_csv

__all__ = ["read_checkpoints", "read_csv", "read_gadre", "read_runs"]
