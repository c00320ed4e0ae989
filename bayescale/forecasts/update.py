"""New evidence: the fit again with rows added, and how each target's interval moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from bayescale.data.ladder import Ladder
from bayescale.data.names import paragraph
from bayescale.data.target import Target
from bayescale.errors import DataError, SettingError
from bayescale.fits.fit import fit
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.models.inputs import AUTO


@dataclass(frozen=True, repr=False)
class Update:
    """A fit with more runs than the one before.

    Parameters
    ----------
    fit
        With the new rows.
    moved
        One row a (target, task, quantity): median, lower, upper and width before and after
        (``_before``), and shift, the change of the median in units of the sd before.
    """

    fit: Fit
    moved: pd.DataFrame

    def __repr__(self) -> str:
        narrower = (
            (self.moved["width"] / self.moved["width_before"]).median()
            if len(self.moved)
            else float("nan")
        )
        return f"Update({self.fit!r}; median width of the intervals {narrower:.2f} of what it was)"

    def _repr_html_(self) -> str:
        return paragraph(repr(self)) + self.moved.to_html(
            index=False, float_format=lambda v: f"{v:.4g}"
        )


def update(
    before: Fit,
    new_runs: pd.DataFrame,
    *,
    targets: Sequence[Target] | None = None,
    prob: float = 0.9,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> Update:
    """The same settings on the ladder with `new_runs` added, and what that did to the forecast of
    each target.

    Parameters
    ----------
    before
        A fit of one law.
    new_runs
        Rows of the run table. With role ``link``, only the link sees them: so a target's own early
        checkpoint may be added, under a name of its own and with its own ``tokens``; its loss is
        not that of a finished run, which is what a law is about.
    targets
        Whose intervals to compare; None for the ladder's own targets.
    prob
        Of the intervals.
    seed
        Of the forecasts' noise; the same for both.
    progress
        As in `fit`.

    Raises
    ------
    SettingError
        For a mixture of laws, or a fit whose priors were your own and did not come through a file.
    DataError
        For rows that break a rule of the run table, or a (run, task) that the ladder has already.
    """
    if before.priors is None:
        raise SettingError(
            "priors of the fit",
            rule="must be known to fit again",
            got="your own, which are not saved",
            way_out="fit anew with priors=",
        )
    if before.members and before.via != AUTO:
        raise SettingError(
            "fit to update",
            rule="must be of one law",
            got="a mixture",
            way_out="update each of its fits, and stack them again",
        )
    ladder = with_rows(before.ladder, new_runs)
    added = ladder.with_role("fit", "link").runs.index.difference(
        before.ladder.with_role("fit", "link").runs.index
    )
    if added.empty:
        got = f"{new_runs['run'].nunique()} runs of other roles"
        raise DataError(
            "new runs",
            rule="must have a run of role fit or link, for a fit to see it",
            got=got,
            way_out="new_runs.assign(role='fit')",
        )
    after = fit(
        ladder,
        law=before.law,
        link=before.link,
        via=before.via,
        pooling=before.pooling,
        discrepancy=before.discrepancy.kind,
        noise=before.noise,
        blocks=before.blocks,
        priors=before.priors,
        chains=before.sampler.chains,
        draws=before.sampler.draws,
        seed=before.sampler.seed,
        progress=progress,
    )
    of = before.ladder.targets("target") if targets is None else list(targets)
    if not of:
        return Update(
            after, pd.DataFrame(columns=["target", "task", "quantity", "width", "width_before"])
        )
    key = ["target", "task", "quantity"]
    old, new = (
        forecast(f, of, seed=seed).to_frame(prob).set_index(key)[["median", "lower", "upper", "sd"]]
        for f in (before, after)
    )
    moved = new.join(old.add_suffix("_before"))
    moved["width"], moved["width_before"] = (
        moved["upper"] - moved["lower"],
        moved["upper_before"] - moved["lower_before"],
    )
    moved["shift"] = (moved["median"] - moved["median_before"]) / moved["sd_before"]
    return Update(after, moved.reset_index())


def with_rows(ladder: Ladder, new_runs: pd.DataFrame) -> Ladder:
    """The ladder with rows added; the new ones need no `loss_name` of tasks that it knows."""
    missing = [c for c in ("run", "task") if c not in new_runs]
    if missing:
        raise DataError(
            f"column {missing[0]!r} of the new runs",
            rule="must be there",
            got=", ".join(map(str, new_runs.columns)),
            way_out="add it, or rename one",
        )
    rows = new_runs.copy()
    if "loss_name" not in rows:
        rows["loss_name"] = rows["task"].map(ladder.loss_name_of).fillna(rows["task"])
    if "corpus" not in rows and len(ladder.corpora) == 1:
        rows["corpus"] = ladder.corpora[0]
    there = ladder.frame
    twice = sorted(set(rows["run"]) & set(there["run"]))
    if twice:
        raise DataError(
            "new runs",
            rule="must have names that the ladder lacks",
            got=repr(twice[0]),
            way_out="rename it, or build a ladder of your own",
        )
    return Ladder.from_frame(
        pd.concat([there, rows], ignore_index=True),
        tasks=ladder.task_table.reset_index(),
        conventions=ladder.conventions,
        law=ladder.law,
        link=ladder.link,
        name=ladder.name,
        source=ladder.source,
    )
