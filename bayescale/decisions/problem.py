"""EvsiProblem: the decision problem that the values of all candidates share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.data.ladder import Ladder
from bayescale.data.target import Target, six_nd
from bayescale.decisions.candidate import Candidate
from bayescale.decisions.cost import AnyCost, Cost, cost_draws
from bayescale.decisions.figures import (
    Figures,
    figures_of_items,
    figures_of_runs,
    joined,
    most_telling,
)
from bayescale.decisions.information import even_quantiles
from bayescale.decisions.preference import Preference
from bayescale.decisions.tasks import weighted_mean
from bayescale.decisions.valuation import as_value, value_draws
from bayescale.decisions.value import Value
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.placement import compute_of, corpus_of
from bayescale.forecasts.record import Forecast


@dataclass(frozen=True)
class EvsiProblem:
    """Targets, their net values, and one joint forecast of targets and candidates' runs.

    Parameters
    ----------
    fit
        A fit of one law.
    targets
        The runs that are decided on.
    candidates
        What could be bought before the decision.
    cost, value, preference
        As in `decide`.
    seed
        Seed of everything random.
    """

    fit: Fit
    targets: Sequence[Target]
    candidates: Sequence[Candidate]
    cost: AnyCost
    value: Value
    preference: Preference
    seed: int

    @cached_property
    def runs(self) -> list[list[Target]]:
        """The runs of each candidate, named apart from the targets and from one another."""
        return [
            [
                replace(run, name=f"candidate {i + 1}, run {k + 1}")
                for k, run in enumerate(candidate.runs)
            ]
            for i, candidate in enumerate(self.candidates)
        ]

    @cached_property
    def joint(self) -> Forecast:
        """Draws of targets and runs, which share the law and its error of each draw."""
        runs = [run for of_candidate in self.runs for run in of_candidate]
        return forecast(self.fit, [*self.targets, *runs], seed=self.seed)

    def of_targets(self, made: Forecast) -> xr.Dataset:
        """The draws of the targets alone."""
        return made.draws.sel(target=[target.label for target in self.targets])

    def net(self, draws: xr.Dataset) -> np.ndarray:
        """Net value of each draw and target, shape (draws, targets)."""
        worth = value_draws(self.value, draws).values.reshape(-1, len(self.targets))
        flops = self._compute(self.targets)
        return worth - cost_draws(self.cost, self.targets, len(worth), self.seed, flops=flops)

    def accuracy(self, draws: xr.Dataset) -> np.ndarray:
        """Margin of the accuracy over what the value asks for, shape (draws, targets).

        The mean over all tasks stands in for a value whose margin is unknown.
        """
        margin = as_value(self.value).margin(draws["accuracy"])
        if margin is None:
            margin = weighted_mean(draws["accuracy"], None, None)
        return margin.transpose("chain", "draw", "target").values.reshape(-1, len(self.targets))

    def cost_of(self, i: int) -> float:
        """Cost of the i-th candidate in money, all its runs together.

        Raises
        ------
        SettingError
            Where neither the candidate nor a `Cost` says it.
        """
        candidate = self.candidates[i]
        if candidate.cost is not None:
            return candidate.cost
        if not isinstance(self.cost, Cost) or not candidate.runs:
            raise SettingError(
                f"cost of candidate {candidate.label!r}",
                rule="must be given where no Cost says what its runs cost",
                got="none",
                way_out="Candidate(runs=[...], cost=2e4)",
            )
        # A candidate serves no tokens: it is trained for what it shows.
        training = replace(self.cost, served_tokens=0.0)
        flops = self._compute(candidate.runs)
        draws = training.draw(candidate.runs, 1000, self.seed, flops=flops)
        return float(draws.sum(1).mean())

    def _compute(self, runs: Sequence[Target]) -> list[float]:
        """C of each run in FLOPs, as a forecast uses it."""
        measured = self.fit.loss_data.compute_is_measured
        return [compute_of(run, measured) for run in runs]

    def remarks(self, i: int) -> list[str]:
        """What a buyer of the i-th candidate should know: runs larger than a target, reruns."""
        largest = max((run.compute_6nd for run in self.runs[i]), default=0.0)
        smaller = [target.label for target in self.targets if target.compute_6nd < largest]
        remarks = []
        if smaller:
            remarks.append(f"takes more compute than {', '.join(smaller)} itself")
        if self._repeats(i):
            remarks.append("a rerun, taken to share no noise with the first: worth this at most")
        return remarks

    def _repeats(self, i: int) -> bool:
        """Whether a run of the i-th candidate has the size and tokens of a fitted run."""
        runs = self.fit.ladder.with_role("fit").runs
        columns = zip(runs["corpus"], runs["params"], runs["tokens"], strict=True)
        fitted = [(corpus, *np.log([n, d]).round(2)) for corpus, n, d in columns]
        data = self.fit.loss_data
        return any(
            (corpus_of(run, data), *np.log([run.params, run.tokens]).round(2)) in fitted
            for run in self.runs[i]
        )

    def figures(self, i: int) -> Figures:
        """What the i-th candidate would show, given each draw of everything but its noise."""
        candidate = self.candidates[i]
        (components,) = self.joint.components.fits
        figures = []
        if candidate.runs:
            figures.append(figures_of_runs(components, [run.label for run in self.runs[i]]))
        if candidate.items > 1:
            figures.append(figures_of_items(components, candidate.items))
        return figures[0] if len(figures) == 1 else joined(*figures)

    def outcomes(self, i: int, count: int) -> list[Ladder]:
        """The ladder with each of `count` outcomes of the i-th candidate added.

        The outcomes are those of draws spread evenly over what the candidate would show of the
        targets, errors of law and link and noise included.
        """
        draws = self.joint.draws
        drawn = draws.sel(target=[run.label for run in self.runs[i]])
        size = drawn.sizes["chain"] * drawn.sizes["draw"]
        columns = [np.log(drawn["loss"]), drawn["accuracy"]]
        dims = ("chain", "draw", "target", "task")
        y = np.hstack([column.transpose(*dims).values.reshape(size, -1) for column in columns])
        y = y[:, ~np.isnan(y).all(0)]
        t = y @ most_telling(y, self.accuracy(self.of_targets(self.joint)))
        chosen = np.argsort(t)[even_quantiles(count, len(t))]
        return [self.fit.ladder.with_rows(self._outcome(i, int(draw))) for draw in chosen]

    def _outcome(self, i: int, index: int) -> pd.DataFrame:
        """Rows of the run table as one draw of the posterior gives them."""
        chain, draw = divmod(index, self.joint.draws.sizes["draw"])
        one = self.joint.draws.isel(chain=chain, draw=draw)
        table = self.joint.table.set_index(["target", "task"])
        rows = []
        for run in self.runs[i]:
            size: dict[str, object] = {
                "run": run.label,
                "params": run.params,
                "tokens": run.tokens,
                "flops": self._measured_compute(run),
            }
            if run.unique_tokens is not None:
                size["unique_tokens"] = run.unique_tokens
            for task in map(str, one.task.values):
                loss, accuracy = (
                    float(one[quantity].sel(target=run.label, task=task))
                    for quantity in ("loss", "accuracy")
                )
                if not np.isfinite(loss):
                    continue
                series = table.loc[(run.label, task)]
                rows.append(
                    {
                        **size,
                        "corpus": series["corpus"],
                        "task": task,
                        "loss_name": series["loss_name"],
                        "loss": loss,
                        "accuracy": accuracy,
                        "role": "fit",
                    }
                )
        return pd.DataFrame(rows).dropna(axis=1, how="all")

    def _measured_compute(self, run: Target) -> float | None:
        """Measured compute that a run would have: 6ND times the median ratio of the ladder's runs.

        None where the compute of the ladder is not measured.
        """
        if run.flops is not None or not self.fit.loss_data.compute_is_measured:
            return run.flops
        runs = self.fit.ladder.with_role("fit").runs
        ratio = runs["flops"] / six_nd(runs["params"], runs["tokens"])
        return run.compute_6nd * float(ratio.median())
