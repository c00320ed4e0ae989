"""Candidates, small runs or more questions that could be bought, and what each would teach: by
weighing draws, or by fitting again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.data.ladder import Ladder
from bayescale.data.target import Target, six_nd
from bayescale.decisions.candidate import Candidate
from bayescale.decisions.cost import AnyCost, Cost, cost_draws
from bayescale.decisions.figures import (
    Figures,
    combination,
    condensed,
    figures_of_items,
    figures_of_runs,
    joined,
    most_telling,
)
from bayescale.decisions.information import (
    Information,
    Prospect,
    bootstrap_error,
    information,
    log_likelihood,
    prospect,
    refitting_floor,
    shuffled,
    weights_given,
    width_given,
)
from bayescale.decisions.preference import Preference
from bayescale.decisions.value import Linear, Threshold, Value, value_draws, weighted_mean
from bayescale.errors import SettingError
from bayescale.extrapolation.cuts import SAME_COST
from bayescale.fits.record import Fit
from bayescale.forecasts.components import log_factors
from bayescale.forecasts.forecast import Forecast, forecast
from bayescale.forecasts.placement import corpus_of
from bayescale.validation import check_prob

UNRELIABLE = 0.7  # of a Pareto k
MAX_FAILED_SHARE = 0.25  # of the fits with outcomes added


@dataclass(frozen=True)
class Question:
    """Everything that the answers for all candidates have in common: one joint forecast of targets
    and candidates' runs.
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
            [replace(run, name=f"candidate {i + 1}, run {k + 1}") for k, run in enumerate(c.runs)]
            for i, c in enumerate(self.candidates)
        ]

    @cached_property
    def made(self) -> Forecast:
        """Draws of the targets and of all runs share each draw's law and drift."""
        return forecast(
            self.fit, [*self.targets, *(run for runs in self.runs for run in runs)], seed=self.seed
        )

    def net(self, draws: xr.Dataset) -> np.ndarray:
        """Net value of each draw and target."""
        worth = value_draws(self.value, draws).values.reshape(-1, len(self.targets))
        return worth - cost_draws(self.cost, self.targets, len(worth), self.seed)

    def accuracy(self, draws: xr.Dataset) -> np.ndarray:
        """By how much the threshold or the baseline is passed, or the mean over tasks where the
        value has neither: shape (draws, targets).
        """
        found = draws["accuracy"]
        of_value = (
            self.value.margin(found)
            if isinstance(self.value, Threshold | Linear)
            else weighted_mean(found, None, None)
        )
        return of_value.transpose("chain", "draw", "target").values.reshape(-1, len(self.targets))

    def of_targets(self, made: Forecast) -> xr.Dataset:
        """The draws without the candidates' runs."""
        return made.draws.sel(target=[t.label for t in self.targets])

    def cost_of(self, i: int) -> float:
        """Money, of all of the candidate's runs."""
        candidate = self.candidates[i]
        if candidate.cost is not None:
            return candidate.cost
        if not isinstance(self.cost, Cost) or not candidate.runs:
            rule = "must be given where no Cost says what its runs cost"
            raise SettingError(
                f"cost of candidate {candidate.label!r}",
                rule=rule,
                got="none",
                way_out="Candidate(runs=[...], cost=2e4)",
            )
        training = replace(self.cost, served_tokens=0.0)  # nobody serves evidence
        return float(training.draw(candidate.runs, 1000, self.seed).sum(1).mean())

    def beyond(self, i: int) -> bool:
        """Whether a run is dearer than what any series of its corpus, or the link, has seen."""
        for run in self.runs[i]:
            for data in (self.fit.loss_data, self.fit.accuracy_data):
                if data is not None:
                    mine = [run.corpus in (None, corpus) for corpus, _ in data.groups.pairs]
                    if (log_factors(self.fit, data, [run])[mine, 0] > np.log(SAME_COST)).any():
                        return True
        return False

    def remarks(self, i: int) -> list[str]:
        """What whoever pays should know of a candidate: runs that take more compute, 6ND, than a
        target; reruns.
        """
        dearest = max((run.compute_6nd for run in self.runs[i]), default=0.0)
        smaller = [t.label for t in self.targets if t.compute_6nd < dearest]
        fitted = self.fit.ladder.with_role("fit").runs
        sizes = [
            (corpus, *np.log([n, d]).round(2))
            for corpus, n, d in zip(
                fitted["corpus"], fitted["params"], fitted["tokens"], strict=True
            )
        ]
        again = any(
            (corpus_of(run, self.fit.loss_data), *np.log([run.params, run.tokens]).round(2))
            in sizes
            for run in self.runs[i]
        )
        said = [f"dearer to train than {', '.join(smaller)} itself"] if smaller else []
        return said + (
            ["a rerun, taken to share no noise with the first: worth this at most"] if again else []
        )

    def figures(self, i: int) -> Figures:
        """All that the i-th candidate would show, its errors of law and link beyond the ladder left
        out.
        """
        candidate, found = self.candidates[i], []
        if candidate.runs:
            found.append(figures_of_runs(self.made.parts, [r.label for r in self.runs[i]]))
        if candidate.items > 1:
            found.append(figures_of_items(self.made.parts, candidate.items))
        return found[0] if len(found) == 1 else joined(*found)

    def by_weights(self, i: int, outcomes: int) -> dict[str, Any]:
        """The mean of two halves of the draws, each weighed by the combination of figures that was
        found on the other.
        """
        figures, draws, tails = self.figures(i), self.of_targets(self.made), check_prob(0.9)
        net, x = self.net(draws), self.accuracy(draws)
        halves = []
        for k in (0, 1):
            rng, there, here = (
                np.random.default_rng([self.seed, k]),
                slice(k, None, 2),
                slice(1 - k, None, 2),
            )
            t = condensed(figures.of(here), combination(figures.of(there), x[there], rng))
            weights, pareto = weights_given(log_likelihood(*t, outcomes, rng))
            mine = (weights, net[here], self.preference)
            found = information(prospect(*mine), self.preference)
            ratio = np.mean(
                [
                    width_given(of, weights, tails).mean()
                    / width_given(of, weights.mean(1, keepdims=True), tails)[0]
                    for of in x[here].T
                ]
            )
            error = np.hypot(found.standard_error, bootstrap_error(*mine, rng))
            halves.append(
                [
                    found.sample,
                    error,
                    shuffled(*mine, rng),
                    found.perfect,
                    ratio,
                    np.quantile(pareto, 0.9),
                ]
            )
        sample, _, floor, perfect, narrower, k90 = map(float, np.mean(halves, 0))
        of_both = float(np.hypot(halves[0][1], halves[1][1]) / 2)
        return _row(Information(sample, of_both, perfect), floor, narrower, "reweighting", k90, "")

    def outcomes(self, i: int, count: int) -> list[Ladder]:
        """The ladder with outcomes of a candidate added, those of draws spread evenly over what it
        would show, errors of law and link and noise included.
        """
        drawn = self.made.draws.sel(target=[run.label for run in self.runs[i]])
        columns = [np.log(drawn["loss"]), drawn["accuracy"]]
        y = np.hstack(
            [
                v.transpose("chain", "draw", "target", "task").values.reshape(
                    drawn.sizes["chain"] * drawn.sizes["draw"], -1
                )
                for v in columns
            ]
        )
        y = y[:, ~np.isnan(y).all(0)]
        t = y @ most_telling(y, self.accuracy(self.of_targets(self.made)))
        chosen = np.argsort(t)[((np.arange(count) + 0.5) / count * len(t)).astype(int)]
        return [self.fit.ladder.with_rows(self._outcome(i, int(at))) for at in chosen]

    def by_fits(self, fits: Iterable[Fit]) -> dict[str, Any]:
        """From fits with the outcomes of one candidate added, in the order of these."""
        utility, regret, perfect, spread, widths, failed, tails = (
            [],
            [],
            [],
            [],
            [],
            [],
            check_prob(0.9),
        )
        for m, again in enumerate(fits):
            failed.append(again.status in ("fail", "not run"))
            if failed[m]:
                continue
            drawn = self.of_targets(forecast(again, list(self.targets), seed=self.seed))
            net = self.net(drawn)
            u = self.preference.utility(net)
            utility.append(u.mean(0))
            regret.append((net < 0).mean(0))
            perfect.append(self.preference.utility(np.maximum(net.max(1), 0.0)).mean())
            spread.append(np.atleast_2d(np.cov(u.T)) / len(u))
            widths.append(np.diff(np.quantile(self.accuracy(drawn), tails, axis=0), axis=0)[0])
        lost = [str(m + 1) for m in np.flatnonzero(failed)]
        note = (
            f"{len(lost)} of {len(failed)} fits left out (no. {', '.join(lost)} from the lowest outcome): a check failed"
            if lost
            else ""
        )
        if not utility:
            return _row(
                Information(*[float("nan")] * 3),
                float("nan"),
                float("nan"),
                "refitting",
                float("nan"),
                note,
            )
        now = np.diff(
            np.quantile(self.accuracy(self.of_targets(self.made)), tails, axis=0), axis=0
        )[0]
        found = information(
            Prospect(np.array(utility), np.array(regret), float(np.mean(perfect))), self.preference
        )
        floor = refitting_floor(
            np.mean(utility, 0),
            np.mean(regret, 0),
            spread,
            self.preference,
            np.random.default_rng(self.seed),
        )
        row = _row(
            found, floor, float(np.mean(np.mean(widths, 0) / now)), "refitting", float("nan"), note
        )
        return row | {
            "reliable": sum(failed) <= MAX_FAILED_SHARE * len(failed)
            and not failed[0]
            and not failed[-1]
        }

    def _flops(self, run: Target) -> float | None:
        """What the run would be measured at, where the ladder is: 6ND times the median ratio of its
        runs.
        """
        if run.flops is not None or not self.fit.loss_data.compute_is_measured:
            return run.flops
        runs = self.fit.ladder.with_role("fit").runs
        return run.compute_6nd * float(
            (runs["flops"] / six_nd(runs["params"], runs["tokens"])).median()
        )

    def _outcome(self, i: int, at: int) -> pd.DataFrame:
        """Rows of the run table as one draw of the posterior gives them."""
        chain, draw = divmod(at, self.made.draws.sizes["draw"])
        one = self.made.draws.isel(chain=chain, draw=draw)
        table = self.made.table.set_index(["target", "task"])
        rows = []
        for run in self.runs[i]:
            for task in one.task.values:
                loss, accuracy = (
                    float(one[q].sel(target=run.label, task=task)) for q in ("loss", "accuracy")
                )
                if np.isfinite(loss):
                    about = table.loc[(run.label, str(task))]
                    size = {
                        "run": run.label,
                        "params": run.params,
                        "tokens": run.tokens,
                        "flops": self._flops(run),
                        "corpus": about["corpus"],
                    }
                    size |= (
                        {} if run.unique_tokens is None else {"unique_tokens": run.unique_tokens}
                    )
                    rows.append(
                        size
                        | {
                            "task": str(task),
                            "loss_name": about["loss_name"],
                            "loss": loss,
                            "accuracy": accuracy,
                            "role": "fit",
                        }
                    )
        return pd.DataFrame(rows).dropna(axis=1, how="all")


def _row(
    found: Information, floor: float, ratio: float, method: str, k: float, note: str
) -> dict[str, Any]:
    about = {
        "evsi": found.sample,
        "evsi_se": found.standard_error,
        "evsi_floor": floor,
        "evpi": found.perfect,
        "narrowing": 1 - ratio,
    }
    return about | {
        "method": method,
        "k": k,
        "note": note,
        "reliable": bool(np.isfinite(found.sample)) and not k > UNRELIABLE,
    }
