"""suspicions: warnings of figures that cannot be what they claim, and of runs that tell little."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayescale.checks import Check
from bayescale.data.catalogue import fill_tasks
from bayescale.data.names import listed
from bayescale.data.outcomes import last_rows
from bayescale.data.replicates import configurations, new_tokens
from bayescale.data.target import six_nd
from bayescale.data.task_limits import task_limits

# A cross-entropy per token is below this once a model is trained: a uniform guess over 50,000
# tokens has 10.8 nats, and public models of 10 million parameters have below 5.
HIGHEST_LOSS = 7.0
# A loss this much above that of a run with no more parameters and no more tokens is no noise:
# between seeds, public losses differ by less than 1 %.
ABOVE_SMALLER = 1.1
# The same for runs that share a configuration, whose learning rates may differ.
ABOVE_SMALLER_IN_A_SWEEP = 1.5
# Least fitted runs of a series from which a sign of the correlation means something.
RUNS_FOR_A_SIGN = 4
# Fitted runs whose compute spans less than this factor see one slope of the loss, which a larger
# irreducible loss with larger exponents gives as well.
SMALLEST_RANGE = 10.0
# Neighbours among the sizes of a ladder that differ by more than this factor may differ in unit.
LARGEST_GAP = 100.0
# Largest share of a size's range, on the log scale, within which it counts as one size.
ONE_SIZE = 0.01


def suspicions(rows: pd.DataFrame, tasks: pd.DataFrame) -> list[Check]:
    """Warnings about a run table that keeps every rule and still looks wrong.

    Parameters
    ----------
    rows
        A run table that `bayescale.data.schema.parse_runs` has checked.
    tasks
        The task table, indexed by task.

    Returns
    -------
    list of Check
        One row per warning; empty where nothing looks wrong.
    """
    fitted = rows[rows["role"].isin(["fit", "link"])]
    return [
        *_perplexities(fitted),
        *_losses_without_a_name(fitted),
        *_runs_above_smaller_ones(fitted),
        *_scores_that_fall(fitted),
        *_sweeps(fitted),
        *_sizes_that_never_vary(fitted),
        *_small_range(fitted),
        *_far_sizes(fitted),
        *_schedules_that_differ(rows),
        *_near_chance(rows, tasks),
        *(
            check
            for check in fill_tasks(list(tasks.index), tasks.reset_index())[1]
            if check.status == "warn"
        ),
    ]


def _perplexities(rows: pd.DataFrame) -> Iterator[Check]:
    """Losses too large for a cross-entropy."""
    for name, series in rows.groupby("loss_name", sort=False):
        losses = series["loss"].drop_duplicates()
        middle = float(losses.median())
        # One diverged run is not a column of perplexities.
        if middle > HIGHEST_LOSS:
            advice = (
                f"losses {losses.min():.3g} to {losses.max():.3g} look like perplexities, not like "
                "cross-entropies: read the column as perplexity (columns=), or give its logarithm"
            )
            yield Check(f"loss {name}", "warn", middle, HIGHEST_LOSS, advice)


def _losses_without_a_name(rows: pd.DataFrame) -> Iterator[Check]:
    """Tasks that have the same losses under different names."""
    table = rows.drop_duplicates(["run", "loss_name"], keep="last")
    table = table.pivot_table(index="run", columns="loss_name", values="loss", sort=False)
    twins: dict[tuple[float, ...], list[str]] = {}
    for name in table.columns:
        losses = table[name].dropna()
        if len(losses) > 1:
            twins.setdefault(tuple(losses), []).append(str(name))
    for names in twins.values():
        if len(names) > 1:
            advice = (
                f"the losses of {listed(names)} are the same numbers: if they are one loss, give "
                "it one name in the column loss_name, so that its law is fitted once"
            )
            yield Check("losses that are the same", "warn", len(names), 1, advice)


def _runs_above_smaller_ones(rows: pd.DataFrame) -> Iterator[Check]:
    """Runs whose loss is far above that of a run with no more parameters, tokens and new tokens."""
    runs = rows.drop_duplicates("run").set_index("run")
    label = configurations(runs)
    swept = set(label.index[label.duplicated(keep=False)])
    for (corpus, name), series in last_rows(rows, "loss_name").groupby(
        ["corpus", "loss_name"], sort=False
    ):
        sizes = np.stack([series["params"], series["tokens"], new_tokens(series)], -1)
        loss = series["loss"].to_numpy()
        is_larger = (sizes[:, None] >= sizes).all(-1)
        ratio = np.where(is_larger, loss[:, None] / loss, 0.0).max(1)
        for run, above in zip(series["run"], ratio, strict=True):
            limit = ABOVE_SMALLER_IN_A_SWEEP if run in swept else ABOVE_SMALLER
            if above > limit:
                advice = (
                    f"the loss {name!r} of run {run} is {above:.2f} times that of a smaller run on "
                    f"corpus {corpus}: if the run diverged, leave it out (--leave-out {run})"
                )
                check = f"loss above a smaller run's: {run}"
                yield Check(check, "warn", float(above), limit, advice)


def _scores_that_fall(rows: pd.DataFrame) -> Iterator[Check]:
    """Tasks whose accuracy falls as the loss falls."""
    scored = last_rows(rows[rows["accuracy"].notna()], "task")
    for task, series in scored.groupby("task", sort=False):
        if len(series) < RUNS_FOR_A_SIGN or series["accuracy"].nunique() < RUNS_FOR_A_SIGN:
            continue
        rank = float(series["loss"].rank().corr(series["accuracy"].rank()))
        if rank > 0.9:
            advice = (
                f"the accuracy of {task} falls as the loss falls: if it is an error rate, give "
                f"1 - score, or read it as error:{task}"
            )
            yield Check(f"accuracy that falls: {task}", "warn", rank, 0.9, advice)


def _sweeps(rows: pd.DataFrame) -> Iterator[Check]:
    """Configurations (corpus, N, D) with several fitted runs that seeds do not tell apart."""
    runs = rows.drop_duplicates("run").set_index("run")
    label = configurations(runs)
    told = pd.DataFrame({"label": label, "seed": runs["seed"]})
    is_rerun = runs["seed"].notna() & ~told.duplicated(keep=False)
    shared = label[label.duplicated(keep=False) & ~is_rerun]
    if len(shared):
        first = shared.index[shared == shared.iloc[0]]
        advice = (
            f"{len(shared)} runs share their corpus, N and D with another one, such as "
            f"{listed(first)}: they are taken as reruns, whose scatter is noise; give reruns a "
            "seed each, and of a sweep over learning rates or batch sizes keep the best "
            "(--best-of-sweep)"
        )
        yield Check("runs of one configuration", "warn", len(shared), 0, advice)


def _sizes_that_never_vary(rows: pd.DataFrame) -> Iterator[Check]:
    """N or D that is the same in all fitted runs."""
    runs = rows.drop_duplicates("run")
    for name, symbol, other in (("params", "N", "tokens"), ("tokens", "D", "params")):
        spread = float(np.log(runs[name].max() / runs[name].min()))
        if len(runs) > 1 and spread < ONE_SIZE:
            advice = (
                f"{name} is the same in all fitted runs, {runs[name].iloc[0]:.4g}: what {symbol} "
                "does to a loss is the prior's, so forecast targets of this size only, or add runs "
                f"of another size at the same {other}"
            )
            yield Check(f"{name} that never varies", "warn", spread, ONE_SIZE, advice)


def _small_range(rows: pd.DataFrame) -> Iterator[Check]:
    """Fitted runs of nearly one compute."""
    compute = six_nd(rows["params"], rows["tokens"])
    if len(rows) and (factor := float(compute.max() / compute.min())) < SMALLEST_RANGE:
        advice = (
            f"the compute of the fitted runs spans a factor of {factor:.3g}: the irreducible loss "
            "cannot be told from the exponents, so the priors decide how far the loss falls"
        )
        yield Check("range of compute", "warn", factor, SMALLEST_RANGE, advice)


def _schedules_that_differ(rows: pd.DataFrame) -> Iterator[Check]:
    """Fitted runs of one corpus whose learning rates end differently, and targets unlike them."""
    runs = rows[rows["schedule"] != ""].drop_duplicates("run")
    for corpus, series in runs.groupby("corpus", sort=False):
        is_fitted = series["role"] == "fit"
        fitted = series.loc[is_fitted, "schedule"].value_counts()
        if len(fitted) > 1:
            kinds = listed(f"{name} ({number})" for name, number in fitted.items())
            advice = (
                f"fitted runs on corpus {corpus} end in different ways: {kinds}. A run whose "
                "learning rate has not decayed has a larger loss, which a law of N and D takes for "
                "an effect of their sizes: fit runs of one schedule (--leave-out)"
            )
            yield Check(f"schedules on {corpus}", "warn", len(fitted), 1, advice)
        others = series[~is_fitted & ~series["schedule"].isin(fitted.index)]
        if len(fitted) and len(others):
            advice = (
                f"{listed(others['run'])} end in another way than all fitted runs on corpus "
                f"{corpus} ({listed(others['schedule'].unique())}, not {listed(fitted.index)}): "
                "give the target a shift, or add runs of its schedule"
            )
            yield Check(f"schedule of targets on {corpus}", "warn", len(others), 0, advice)


def _near_chance(rows: pd.DataFrame, tasks: pd.DataFrame) -> Iterator[Check]:
    """Tasks of which no fitted run is above chance by more than guessing scatters."""
    limits = task_limits(rows, tasks)
    for row in limits[(limits["runs"] > 0) & (limits["above_chance"] == 0)].itertuples():
        advice = (
            f"no fitted run is above the chance of {row.task} by more than guessing scatters "
            f"(best {row.best:.3g}, chance {row.chance:.3g}): where its accuracy rises is unknown, "
            "so its forecast rests on the priors"
        )
        yield Check(f"accuracy near chance: {row.task}", "warn", 0, 1, advice)


def _far_sizes(rows: pd.DataFrame) -> Iterator[Check]:
    """Runs whose N or D lies far below that of all larger ones."""
    runs = rows.drop_duplicates("run")
    for name in ("params", "tokens"):
        sizes = np.sort(runs[name].unique())
        gaps = sizes[1:] / sizes[:-1]
        if len(gaps) and gaps.max() > LARGEST_GAP:
            below = sizes[int(gaps.argmax())]
            few = runs.loc[runs[name] <= below, "run"]
            advice = (
                f"{name} of {listed(few)} are at most {below:.4g}, those of all other runs "
                f"{gaps.max():.3g} times that or more: check the unit of these cells"
            )
            yield Check(f"gap in {name}", "warn", float(gaps.max()), LARGEST_GAP, advice)
