"""best_of_sweep: of several runs of one configuration, the one with the lowest loss."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

from bayescale.data.ladder import Ladder
from bayescale.data.names import listed
from bayescale.data.outcomes import last_rows
from bayescale.data.replicates import configurations
from bayescale.errors import DataError


def best_of_sweep(ladder: Ladder, loss_name: str | None = None) -> Ladder:
    """For each (corpus, N, D), the run with the lowest loss among those of one role.

    The runs of a sweep over learning rates or batch sizes are no reruns: their scatter is not
    noise. The best of them is what a well-tuned run would be. It is chosen by a noisy figure, so
    its loss is optimistic: the lowest of k losses with the same expected value lies about
    z((k - 3/8) / (k + 1/4)) standard deviations below it (Blom 1958), z the normal quantile.

    Parameters
    ----------
    ladder
        Its runs of every role.
    loss_name
        The loss to choose by; None for the first one of the table that all runs of a configuration
        have.

    Returns
    -------
    Ladder
        One run for each configuration and role. `Ladder.notes` says which runs were left out, and
        how optimistic the choice is.

    Raises
    ------
    DataError
        For a loss that the ladder lacks, or that a run of a sweep lacks.

    Examples
    --------
    >>> import bayescale as bs
    >>> ladder = bs.load_dataset("ladder2024")
    >>> len(ladder.runs), len(bs.best_of_sweep(ladder).runs)
    (32, 31)
    """
    runs = ladder.runs
    label = configurations(runs).astype(str) + runs["role"]
    sweeps = label[label.duplicated(keep=False)]
    if sweeps.empty:
        return ladder
    losses = last_rows(ladder.frame, "loss_name").pivot_table(
        index="run", columns="loss_name", values="loss", sort=False
    )
    chosen_by = loss_name or next(
        (name for name in losses if losses.loc[sweeps.index, name].notna().all()), None
    )
    if chosen_by not in losses or losses.loc[sweeps.index, chosen_by].isna().any():
        raise DataError(
            "the loss to choose by",
            rule="must be there for every run of a sweep",
            got=repr(loss_name) if loss_name else "no such loss",
            way_out=f"give loss_name, one of {listed(ladder.loss_names)}",
        )
    best = losses.loc[sweeps.index, chosen_by].groupby(sweeps).idxmin()
    left_out = [run for run in sweeps.index if run not in set(best)]
    most = int(sweeps.value_counts().max())
    optimism = NormalDist().inv_cdf((most - 0.375) / (most + 0.25))
    note = (
        f"best of a sweep by loss {chosen_by!r}: {listed(list(best))}; "
        f"left out: {listed(left_out)}. "
        f"The lowest of {most} losses is optimistic by at most about {optimism:.1f} standard "
        "deviations of the noise between seeds"
    )
    kept = ladder.where(run=[run for run in runs.index if run not in set(left_out)])
    return replace(kept, notes=(*ladder.notes, note))
