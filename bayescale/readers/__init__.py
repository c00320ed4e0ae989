"""Readers: one file a format, each gives a Ladder."""

from bayescale.readers.gadre_json import read_gadre as read_gadre
from bayescale.readers.ladder_checkpoints import read_checkpoints as read_checkpoints
from bayescale.readers.tidy_csv import read_csv as read_csv

__all__ = ["read_checkpoints", "read_csv", "read_gadre"]
