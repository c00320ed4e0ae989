"""Mixtures of fits: several laws or links (stack), or several routes from loss to accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from bayescale.errors import SettingError
from bayescale.extrapolation.weights import weigh
from bayescale.fits.record import Fit
from bayescale.fits.settings import AUTO


def mix_routes(fits: Sequence[Fit]) -> Fit:
    """One fit of several routes from the same losses; each task has weights of its own.

    Its own link is that of the heaviest route.
    """
    rows: list[dict[str, object]] = []
    for task in fits[0].ladder.with_role("fit", "link").tasks:
        tables = [
            fit.past[(fit.past["quantity"] == "accuracy") & (fit.past["name"] == task)]
            for fit in fits
        ]
        rows += _weights(task, fits, tables)
    mixture = _mixture(fits, rows)
    return replace(mixture, settings=replace(mixture.settings, via=AUTO))


def stack(fits: Sequence[Fit]) -> Fit:
    """p = sum_k W_k p_k: a mixture of fits of one ladder by several laws or links.

    The weights rest on how well each fit forecast the ladder's larger runs from its smaller ones
    (see `bayescale.extrapolation.weights.weigh`). Each draw of a forecast comes from one of the
    fits, losses and accuracies alike.

    Parameters
    ----------
    fits
        Two or more fits of the same ladder, with equal numbers of chains and draws, one `via`, and
        ``discrepancy="calibrated"``. A ladder that is too small to have a past gives equal weights.

    Returns
    -------
    Fit
        The mixture; its own posteriors are those of the heaviest fit.

    Raises
    ------
    SettingError
        For fewer than two fits, fits of different ladders, numbers of draws or `via`, fits that are
        mixtures themselves, and anything that is not a fit.
    """
    what = "fits to stack"
    if not all(isinstance(fit, Fit) for fit in fits):
        raise SettingError(
            what,
            rule="must be results of bayescale.fit",
            got=", ".join(type(fit).__name__ for fit in fits),
            way_out="stack([fit(...), fit(...)])",
        )
    kinds = {(fit.ladder.digest(), fit.sampler.chains, fit.sampler.draws) for fit in fits}
    if len(fits) < 2 or len(kinds) > 1:
        raise SettingError(
            what,
            rule="must be two or more of one ladder, with as many draws",
            got=f"{len(fits)} fits of {len(kinds)} kinds",
            way_out="fit each anew",
        )
    one_route = len({fit.via for fit in fits}) == 1
    single = all(len(fit.components) == 1 for fit in fits)
    calibrated = all(fit.discrepancy.kind == "calibrated" for fit in fits)
    if not (one_route and single and calibrated):
        got = [f"via {fit.via}, discrepancy {fit.discrepancy.kind}" for fit in fits]
        raise SettingError(
            what,
            rule="must each have one route, the same for all, and a calibrated discrepancy",
            got=", ".join(got),
            way_out="fit(..., via=None); fit(..., via='auto') weighs routes",
        )
    return _mixture(fits, _weights("", fits, [fit.past for fit in fits]))


def _mixture(fits: Sequence[Fit], rows: Sequence[dict[str, object]]) -> Fit:
    """The heaviest fit, with all fits as its members."""
    weights = pd.DataFrame(rows)
    heaviest = int(weights.groupby("member")["weight"].sum().idxmax())
    return replace(fits[heaviest], members=tuple(fits), weights=weights)


def _weights(
    task: str, fits: Sequence[Fit], tables: Sequence[pd.DataFrame]
) -> list[dict[str, object]]:
    """Rows of `Fit.weights` for one task; an empty name weighs the fits as a whole."""
    mean, sd, cells = weigh(tables)
    return [
        {
            "task": task,
            "member": i,
            "law": fit.law.name,
            "link": fit.link.name if fit.link else None,
            "via": fit.via or "own loss",
            "weight": float(mean[i]),
            "sd": float(sd[i]),
            "cells": cells,
        }
        for i, fit in enumerate(fits)
    ]
