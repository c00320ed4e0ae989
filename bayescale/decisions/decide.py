"""decide(forecast, cost, value, evidence) -> Decision: fund, do not fund, or gather evidence first.

Where a check of the fit failed, the decision is undecided.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Literal

import numpy as np
import pandas as pd

from bayescale.checks import Status
from bayescale.decisions.cost import AnyCost, cost_draws, money
from bayescale.decisions.evidence import Evidence
from bayescale.decisions.preference import Preference, make_preference
from bayescale.decisions.sensitivity import changes, flips, table
from bayescale.decisions.tasks import doubts
from bayescale.decisions.valuation import as_value, reach, value_draws
from bayescale.decisions.value import Value
from bayescale.errors import SettingError
from bayescale.forecasts.record import Forecast, require_forecast
from bayescale.inference.summary import interval
from bayescale.runtime import check_seed
from bayescale.validation import require_kind

Verdict = Literal["fund", "do not fund", "gather evidence first", "undecided"]


@dataclass(frozen=True, repr=False)
class Decision:
    """The verdict on one or more targets, with the numbers that it rests on.

    Parameters
    ----------
    verdict
        ``fund``, ``do not fund``, ``gather evidence first``, or ``undecided`` where a check of the
        fit failed.
    target
        Name of the target to fund, or of the one nearest to it.
    reason
        The reason in one sentence. It names the tasks that the value depends on and that the ladder
        does not speak for (see `Fit.verdicts`).
    options
        One row per target: target, cost, value and net (means over draws), lower and upper (the 90
        % interval of the net value), certainty_equivalent, prob_regret (probability of a negative
        net value), prob_best (probability that the net value is the largest of all targets, and
        positive), break_even_cost (the mean value), break_even_shift (the shift of every threshold,
        or of the baseline, at which the mean net value is 0, in accuracy; nan where there is none
        or it is unknown).
    perfect_information
        EVPI, in money: the certainty equivalent of a choice with every net value known, less that
        of the choice without further information. To fund nothing has value 0. No evidence has a
        larger value.
    reach
        P(reaching each threshold): target, task, threshold, prob. Empty for a value without
        thresholds.
    sensitivity
        One row per amount of a change (of the cost, the thresholds, the discrepancy): what, by,
        target (the one to fund at this amount, or the nearest to it), its net, certainty_equivalent
        and prob_regret, verdict (without evidence). Empty where a check failed.
    flips
        One row per kind of change: what, at (the amount, nearest to no change, at which the verdict
        changes between fund and do not fund; nan where it stays), lowest and highest amount that
        was looked at. Empty where a check failed.
    status
        Status of the checks of the forecast's fit.
    note
        Note of the forecast on its intervals.
    cost
        The cost that was given to `decide`.
    value
        The value that was given to `decide`.
    preference
        The preference, made of risk_aversion, most_regret and stake.
    evidence
        The evidence that was given to `decide`, or None.
    """

    verdict: Verdict
    target: str
    reason: str
    options: pd.DataFrame
    perfect_information: float
    reach: pd.DataFrame
    sensitivity: pd.DataFrame
    flips: pd.DataFrame
    status: Status
    note: str
    cost: AnyCost
    value: Value
    preference: Preference
    evidence: Evidence | None = None

    def __repr__(self) -> str:
        return f"Decision({self.verdict!r}: {self.reason})"

    def _repr_html_(self) -> str:
        tables = [self.options, self.reach, self.flips, self.sensitivity]
        if self.evidence is not None:
            tables.append(self.evidence.table)
        shown = [
            t.to_html(index=False, float_format=lambda v: f"{v:.4g}") for t in tables if len(t)
        ]
        return f"<p><b>{self.verdict}</b>: {escape(self.reason)}</p>" + "".join(shown)


def decide(
    forecast: Forecast,
    *,
    cost: AnyCost,
    value: Value,
    evidence: Evidence | None = None,
    risk_aversion: float = 0.0,
    most_regret: float = 1.0,
    stake: float | None = None,
    seed: int = 0,
) -> Decision:
    """Fund if CE(value - cost) > 0 and P(value < cost) <= `most_regret`.

    CE is the certainty equivalent: the certain amount of money with the same expected utility. The
    verdict is ``gather evidence first`` instead where the information of a candidate of `evidence`
    has an expected value above its cost.

    Parameters
    ----------
    forecast
        Forecast of one target, or of several targets of which one at most is funded. Where its
        checks failed, the verdict is ``undecided``.
    cost
        One amount of money for every target, one amount per target by its name, or a `Cost`.
    value
        A `Threshold`, a `Linear`, or a function that takes the draws, over (chain, draw, target,
        task), and returns money over (chain, draw, target).
    evidence
        Result of `value_of_information` for the same targets, cost, value and preference. Without
        it, ``gather evidence first`` is no possible verdict.
    risk_aversion
        0 for a decision by the expected net value alone; at 1, a fair bet of the whole stake has a
        certainty equivalent of -0.43 stakes.
    most_regret
        The largest P(value < cost) at which a run is funded.
    stake
        The unit of money of the utility. None for the largest possible value, which is unknown for
        a function.
    seed
        Seed of the draws of a `Cost`.

    Returns
    -------
    Decision
        The verdict, its reason, and tables of what it rests on.

    Raises
    ------
    SettingError
        For a value that is nan or of another shape, tasks that the forecast lacks, a negative cost
        or risk aversion, a probability outside [0, 1], risk aversion without a stake where the
        value is a function, evidence about another decision, and an argument of another type.

    Examples
    --------
    >>> import bayescale as bs
    >>> bs.setup(chains=2)
    >>> ladder = bs.load_dataset("ladder2024", tasks=["hellaswag"])
    >>> fit = bs.fit(ladder, law="compute", discrepancy="none", chains=2, draws=100)
    >>> forecast = bs.forecast(fit, ladder.targets())
    >>> value = bs.Threshold(worth=3e6, accuracy=0.8)
    >>> decision = bs.decide(forecast, cost=bs.Cost("H100"), value=value)
    >>> decision.verdict in ("fund", "do not fund", "undecided")
    True
    >>> decision.options["target"].tolist()
    ['7B-4T', '13B-5T']
    """
    require_forecast(forecast)
    asked = as_value(value)
    preference = make_preference(value, risk_aversion, most_regret, stake)
    check_seed(seed)
    labels = [t.label for t in forecast.targets]
    worth = value_draws(asked, forecast.draws).values.reshape(-1, len(labels))
    spent = cost_draws(cost, forecast.targets, len(worth), seed, flops=_flops(forecast))
    if evidence is not None:
        _check_evidence(evidence, forecast, cost, value, preference)
    net = worth - spent
    best, funded = preference.choose(net)
    options = _options(forecast, worth, spent, preference, value)
    verdict, reason = _verdict(
        forecast.status, options.iloc[best], evidence, preference, funded=funded
    )
    remarks = doubts(forecast.table, asked.tasks_in(forecast.draws["accuracy"]))
    all_changes = changes(forecast, value, worth, spent)
    undecided = verdict == "undecided"
    return Decision(
        verdict=verdict,
        target=labels[best],
        reason="; ".join([reason, *remarks]),
        options=options,
        perfect_information=preference.perfect_information(net),
        reach=reach(asked, forecast.draws),
        sensitivity=pd.DataFrame() if undecided else table(all_changes, labels, preference),
        flips=pd.DataFrame() if undecided else flips(all_changes, preference),
        status=forecast.status,
        note=forecast.note,
        cost=cost,
        value=value,
        preference=preference,
        evidence=evidence,
    )


def _flops(forecast: Forecast) -> np.ndarray:
    """C of each target in FLOPs, as the forecast used it: shape (targets,)."""
    flops = forecast.extrapolation.set_index("target")["flops"]
    return flops.loc[[t.label for t in forecast.targets]].to_numpy(float)


def _check_evidence(
    evidence: Evidence, forecast: Forecast, cost: AnyCost, value: Value, preference: Preference
) -> None:
    """A SettingError for evidence about other tasks, targets, cost, value or preference."""
    rule, way_out = "must be an Evidence", "evidence=value_of_information(...)"
    require_kind("evidence", evidence, Evidence, rule=rule, way_out=way_out)
    pairs = {
        "tasks": (set(evidence.tasks), set(map(str, forecast.draws.task.values))),
        "targets": ({t.label: t for t in evidence.targets}, {t.label: t for t in forecast.targets}),
        "cost": (evidence.cost, cost),
        "value": (evidence.value, value),
        "preference": (evidence.preference, preference),
    }
    for what, (got, wanted) in pairs.items():
        if got != wanted:
            raise SettingError(
                "evidence",
                rule=f"must be about the {what} of the decision",
                got=", ".join(sorted(got)) if isinstance(got, set | dict) else str(got),
                way_out="value_of_information with the same",
            )


def _options(
    forecast: Forecast, worth: np.ndarray, spent: np.ndarray, preference: Preference, value: Value
) -> pd.DataFrame:
    """One row per target: the means, interval and probabilities of its net value."""
    net = worth - spent
    lower, _, upper = interval(net, axis=0)
    # draws at which several targets share the largest net value count in equal parts
    largest = net == net.max(1, keepdims=True)
    best = (largest & (net > 0)) / largest.sum(1, keepdims=True)
    return pd.DataFrame(
        {
            "target": [t.label for t in forecast.targets],
            "cost": spent.mean(0),
            "value": worth.mean(0),
            "net": net.mean(0),
            "lower": lower,
            "upper": upper,
            "certainty_equivalent": preference.certain(net),
            "prob_regret": (net < 0).mean(0),
            "prob_best": best.mean(0),
            "break_even_cost": worth.mean(0),
            "break_even_shift": _break_even_shifts(forecast, value, spent.mean(0)),
        }
    )


def _break_even_shifts(forecast: Forecast, value: Value, costs: np.ndarray) -> np.ndarray:
    """The shift of every threshold at which E V = cost, of each target; nan where unknown."""
    asked = as_value(value)
    margin = asked.margin(forecast.draws["accuracy"])
    if margin is None:
        return np.full(len(costs), np.nan)
    by_target = margin.transpose("target", "chain", "draw").values.reshape(len(costs), -1)
    shifts = [
        asked.break_even_shift(of_target, float(cost))
        for of_target, cost in zip(by_target, costs, strict=True)
    ]
    return np.array(shifts)


def _verdict(
    status: Status,
    option: pd.Series,
    evidence: Evidence | None,
    preference: Preference,
    *,
    funded: bool,
) -> tuple[Verdict, str]:
    """The verdict, and its reason in one sentence; `option` is the row of the best target."""
    label = option["target"]
    figures = (
        f"expected net value {money(option['net'])}, "
        f"probability of regret {option['prob_regret']:.2f}"
    )
    if status == "fail":
        return "undecided", (
            "a check of the fit behind this forecast failed, "
            f"so its probabilities cannot be relied on ({label}: {figures})"
        )
    if evidence is not None and evidence.status == "fail":
        return "undecided", f"a check of the fit behind the evidence failed ({label}: {figures})"
    if evidence is not None and evidence.best is not None:
        candidate = evidence.best
        return "gather evidence first", (
            f"{candidate['candidate']} is worth {money(candidate['net'])} more than it costs "
            f"(standard error {money(candidate['evsi_se'])}); "
            f"as things stand, {label}: {figures}"
        )
    if funded:
        remark = "; regret is likelier than not" if option["prob_regret"] > 0.5 else ""
        return "fund", f"{label} is worth more than it costs: {figures}{remark}"
    if preference.risk_aversion:
        figures += f", as good as {money(option['certainty_equivalent'])} for certain"
    why = "is worth less than it costs" if option["net"] <= 0 else "is too great a risk"
    return "do not fund", f"{label} {why}: {figures}"
