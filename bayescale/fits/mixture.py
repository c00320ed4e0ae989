"""Mixtures of fits: several laws or links (stack), or several routes from loss to accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from bayescale.errors import SettingError
from bayescale.extrapolation.weights import weigh
from bayescale.models.inputs import AUTO

if TYPE_CHECKING:
    pass

from bayescale.fits.record import Fit


def mix_routes(members: Sequence[Fit]) -> Fit:
    """One fit of several routes from the same losses, each task by its own weights; its own link is
    that of the heaviest.
    """
    rows = []
    for task in members[0].ladder.with_role("fit", "link").tasks:
        rows += _weights(
            task,
            members,
            [
                m.past[(m.past["quantity"] == "accuracy") & (m.past["name"] == task)]
                for m in members
            ],
        )
    return replace(
        _heaviest(members, rows), via=AUTO, members=tuple(members), weights=pd.DataFrame(rows)
    )


def stack(fits: Sequence[Fit]) -> Fit:
    """A mixture of fits of one ladder by several laws or links, weighed by
    leave-the-largest-runs-out predictive density (see `bayescale.extrapolation.weights.weigh`).

    Each draw of a forecast comes from one of them, losses and accuracies alike.

    Parameters
    ----------
    fits
        Two or more, of the same ladder, with as many draws and one `via`, each with
        ``discrepancy="calibrated"``: their fits of the past are what they are weighed by. A ladder
        too small to have a past gives equal weights.

    Raises
    ------
    SettingError
        For fewer than two fits, fits of different ladders, numbers of draws or `via`, fits that are
        mixtures themselves, and what is no fit.
    """
    if not all(isinstance(f, Fit) for f in fits):
        got = ", ".join(type(f).__name__ for f in fits)
        raise SettingError(
            "fits to stack",
            rule="must be results of bayescale.fit",
            got=got,
            way_out="stack([fit(...), fit(...)])",
        )
    what = {(f.ladder.digest(), f.sampler.chains, f.sampler.draws) for f in fits}
    if len(fits) < 2 or len(what) > 1:
        raise SettingError(
            "fits to stack",
            rule="must be two or more of one ladder, with as many draws",
            got=f"{len(fits)} fits of {len(what)} kinds",
            way_out="fit each anew",
        )
    if (
        any(f.members or f.discrepancy.kind != "calibrated" for f in fits)
        or len({f.via for f in fits}) > 1
    ):
        got = ", ".join(f"via {f.via}, discrepancy {f.discrepancy.kind}" for f in fits)
        rule = "must each have one route, the same for all, and a calibrated discrepancy"
        raise SettingError(
            "fits to stack",
            rule=rule,
            got=got,
            way_out="fit(..., via=None); fit(..., via='auto') weighs routes",
        )
    rows = _weights("", fits, [f.past for f in fits])
    return replace(_heaviest(fits, rows), members=tuple(fits), weights=pd.DataFrame(rows))


def _weights(
    task: str, members: Sequence[Fit], tables: Sequence[pd.DataFrame]
) -> list[dict[str, object]]:
    mean, sd, cells = weigh(tables)
    about = [
        {"law": m.law.name, "link": m.link.name if m.link else None, "via": m.via or "own loss"}
        for m in members
    ]
    return [
        {
            "task": task,
            "member": m,
            **about[m],
            "weight": float(mean[m]),
            "sd": float(sd[m]),
            "cells": cells,
        }
        for m in range(len(members))
    ]


def _heaviest(members: Sequence[Fit], rows: Sequence[Mapping[str, object]]) -> Fit:
    return members[int(pd.DataFrame(rows).groupby("member")["weight"].sum().idxmax())]
