"""update(fit, new_runs): the fit again with rows added, and how each target's interval moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from bayescale.checks import Check, worst
from bayescale.data.ladder import Ladder
from bayescale.data.leave_out import leave_out
from bayescale.data.names import paragraph
from bayescale.data.target import Target, as_targets
from bayescale.errors import DataError, SettingError
from bayescale.fits.fit import fit_many
from bayescale.fits.record import Fit, require_fit
from bayescale.forecasts.forecast import forecast
from bayescale.runtime import check_seed, require_64bit
from bayescale.validation import check_prob, check_progress, require_kind

KEY = ["target", "task", "quantity"]
FIGURES = ["median", "lower", "upper", "sd"]


@dataclass(frozen=True, repr=False)
class Update:
    """A fit with more runs than the one before.

    Parameters
    ----------
    fit
        The fit with the new rows.
    moved
        One row per (target, task, quantity): median, lower, upper, sd and width after and before
        (suffix ``_before``), and shift (change of the median in units of the sd before).
        ``moved.attrs`` holds the gravest status of both forecasts, `prob`, and the new note.
    """

    fit: Fit
    moved: pd.DataFrame

    def __repr__(self) -> str:
        ratio = float("nan")
        if len(self.moved):
            ratio = (self.moved["width"] / self.moved["width_before"]).median()
        return f"Update({self.fit!r}; median width of the intervals {ratio:.2f} of what it was)"

    def _repr_html_(self) -> str:
        table = self.moved.to_html(index=False, float_format=lambda v: f"{v:.4g}")
        return paragraph(repr(self)) + table


def update(
    before: Fit,
    new_runs: pd.DataFrame,
    *,
    targets: Sequence[Target] | None = None,
    prob: float = 0.9,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> Update:
    """p(law, link | ladder and new runs), and what the new runs did to the forecast.

    Parameters
    ----------
    before
        A fit of one law; the settings of the new fit are its settings.
    new_runs
        Rows of the run table. With role ``link``, only the link sees them. A target's own early
        checkpoint may be added that way, under a name of its own and with its own ``tokens`` (and
        ``flops``, where the ladder has them): its loss is not that of a finished run, which is what
        a law is about.
    targets
        Targets whose intervals are compared; None for the ladder's own targets.
    prob
        Probability of the intervals.
    seed
        Seed of the noise of both forecasts.
    progress
        Function that is told the stage and the share of it that is done.

    Returns
    -------
    Update
        The new fit, and how each interval moved.

    Raises
    ------
    SettingError
        For a mixture of laws, a fit whose priors were your own and did not come through a file, and
        an argument of another type. All of it is checked before the fit.
    DataError
        For rows that break a rule of the run table, a (run, task) that the ladder has already, and
        runs without flops where all runs of the ladder have them.

    Examples
    --------
    >>> import bayescale as bs
    >>> bs.setup(chains=2)
    >>> ladder = bs.load_dataset("ladder2024", tasks=["hellaswag"])
    >>> fit = bs.fit(ladder, law="compute", discrepancy="none", chains=2, draws=100)
    >>> new = ladder.where(run="3B-5xC").frame.assign(run="3B-new", role="fit")
    >>> updated = bs.update(fit, new)
    >>> "3B-new" in set(updated.fit.loss_data.runs.ravel())
    True
    >>> sorted(set(updated.moved["target"]))
    ['13B-5T', '7B-4T']
    """
    require_64bit()
    _check(before, new_runs)
    asked = None if targets is None else as_targets(targets, "targets")
    check_prob(prob)
    check_seed(seed)
    check_progress(progress)
    ladder = add_runs(before.ladder, new_runs)
    after = next(fit_many(before.settings, before.sampler, [ladder], progress=progress))
    return _compare(before, after, asked, prob=prob, seed=seed)


def without(
    before: Fit,
    runs: str | Sequence[str],
    *,
    reason: str = "",
    targets: Sequence[Target] | None = None,
    prob: float = 0.9,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> Update:
    """p(law, link | ladder without some runs), and what these runs did to the forecast.

    Parameters
    ----------
    before
        A fit of one law; the settings of the new fit are its settings.
    runs
        Name of a run or a condition such as ``params<1e8``, or several; see `leave_out`.
    reason
        Why, for the record.
    targets
        Targets whose intervals are compared; None for the ladder's own targets.
    prob
        Probability of the intervals.
    seed
        Seed of the noise of both forecasts.
    progress
        Function that is told the stage and the share of it that is done.

    Returns
    -------
    Update
        The new fit, whose ladder keeps the reason in its notes, and how each interval moved.

    Raises
    ------
    SettingError
        For a mixture of laws, a fit whose priors were your own and did not come through a file,
        what names no run, and an argument of another type.
    DataError
        Where a series has too few runs left.
    """
    require_64bit()
    _require_one_law(before)
    asked = None if targets is None else as_targets(targets, "targets")
    check_prob(prob)
    check_seed(seed)
    check_progress(progress)
    ladder = leave_out(before.ladder, runs, reason)
    after = next(fit_many(before.settings, before.sampler, [ladder], progress=progress))
    return _compare(before, after, asked, prob=prob, seed=seed)


def _compare(
    before: Fit, after: Fit, targets: Sequence[Target] | None, *, prob: float, seed: int
) -> Update:
    """The new fit, and each interval beside that of the fit before."""
    chosen = before.ladder.targets("target") if targets is None else targets
    if not chosen:
        return Update(after, pd.DataFrame(columns=[*KEY, "width", "width_before"]))
    made = [forecast(one, chosen, seed=seed) for one in (before, after)]
    old, new = (one.to_frame(prob).set_index(KEY)[FIGURES] for one in made)
    moved = new.join(old.add_suffix("_before"))
    moved["width"] = moved["upper"] - moved["lower"]
    moved["width_before"] = moved["upper_before"] - moved["lower_before"]
    moved["shift"] = (moved["median"] - moved["median_before"]) / moved["sd_before"]
    moved = moved.reset_index()
    status = worst(Check("forecast", one.status, float("nan"), float("nan")) for one in made)
    moved.attrs = {"status": status, "prob": prob, "note": made[1].note}
    return Update(after, moved)


def _check(before: Fit, new_runs: pd.DataFrame) -> None:
    """An error for a fit that cannot be made again, and for rows that are no table."""
    require_kind(
        "new runs",
        new_runs,
        pd.DataFrame,
        rule="must be rows of the run table, as a DataFrame",
        way_out="such as pd.read_csv('new.csv')",
        error=DataError,
    )
    _require_one_law(before)


def _require_one_law(before: Fit) -> None:
    """An error for a fit that cannot be made again."""
    require_fit(before)
    before.settings.require_priors()
    if before.is_mixture:
        raise SettingError(
            "fit to update",
            rule="must be of one law",
            got="a mixture",
            way_out="update each of its fits, and stack them again",
        )


def add_runs(known: Ladder, new_runs: pd.DataFrame) -> Ladder:
    """The ladder that a fit after the new runs sees.

    Parameters
    ----------
    known
        Ladder of the fit before.
    new_runs
        As in `update`.

    Raises
    ------
    DataError
        As in `update`.
    """
    ladder = known.with_rows(new_runs)
    seen, seen_before = (one.with_role("fit", "link").runs.index for one in (ladder, known))
    if seen.difference(seen_before).empty:
        raise DataError(
            "new runs",
            rule="must have a run of role fit or link, for a fit to see it",
            got=f"{new_runs['run'].nunique()} runs of other roles",
            way_out="new_runs.assign(role='fit')",
        )
    if known.compute_is_measured and not ladder.compute_is_measured:
        raise DataError(
            "new runs",
            rule="must have flops, as the runs of the ladder do",
            got="runs without flops",
            way_out="fill in flops, or fit ladder.without_flops() with the new runs",
        )
    return ladder
