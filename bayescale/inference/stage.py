"""Stage: the model and the data of one stage of a fit, ready to be sampled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import numpy as np

from bayescale.models.inputs import AccuracyData, LossData
from bayescale.models.laws import Law
from bayescale.models.layout import Layout
from bayescale.models.links import Link
from bayescale.models.pooling import Groups
from bayescale.models.series import SeriesModel
from bayescale.models.stages import StageName


@dataclass(frozen=True)
class Stage:
    """One stage of a fit: its model and data, and what turns parameters into a paper's constants.

    Parameters
    ----------
    name
        ``loss`` or ``accuracy``.
    model
        The NumPyro model of the stage.
    layout
        The data, a rectangle of series by runs; it may be padded to the width of other stages.
    groups
        Corpus, name and kind of each series.
    runs
        Name of the run in each cell, shape (series, runs), empty where there is none.
    observed
        Name of y in the tree: ``log_loss`` or ``accuracy``.
    constants
        Function from natural values, (chain, draw, series) each, to the paper's constants by name.
    """

    name: StageName
    model: SeriesModel
    layout: Layout
    groups: Groups
    runs: np.ndarray
    observed: str
    constants: Callable[[Mapping[str, jax.Array]], dict[str, jax.Array]]


def loss_stage(law: Law, data: LossData, model: SeriesModel) -> Stage:
    """The stage of the losses."""
    return Stage(
        name="loss",
        model=model,
        layout=data.layout,
        groups=data.groups,
        runs=data.runs,
        observed="log_loss",
        constants=lambda values: law.constants(values, data.reference),
    )


def accuracy_stage(link: Link, data: AccuracyData, model: SeriesModel) -> Stage:
    """The stage of the accuracies."""
    return Stage(
        name="accuracy",
        model=model,
        layout=data.layout,
        groups=data.groups,
        runs=data.runs,
        observed="accuracy",
        constants=lambda values: link.constants(values, data.centre, data.scale),
    )
