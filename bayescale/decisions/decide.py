"""decide(forecast, cost, value, evidence) -> Decision: fund, do not fund, gather evidence first, or
undecided where a check failed.
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
from bayescale.decisions.value import Linear, Threshold, Value, doubts, reach, tasks_of, value_draws
from bayescale.errors import SettingError
from bayescale.forecasts.forecast import Forecast
from bayescale.validation import check_prob

Verdict = Literal["fund", "do not fund", "gather evidence first", "undecided"]


@dataclass(frozen=True, repr=False)
class Decision:
    """What a forecast is worth, and what follows.

    Parameters
    ----------
    verdict
        ``fund``, ``do not fund``, ``gather evidence first``, or ``undecided`` where a check failed.
    target
        The one to fund, or that comes nearest to it.
    reason
        In one sentence; it names tasks that the value looks at and the ladder does not speak for
        (see `Fit.verdicts`).
    options
        One row a target: cost, value and net (their means), lower and upper (the 90 % interval of
        the net value), certainty_equivalent, prob_regret (that the net value is negative),
        prob_best (that it is the best of all targets, and positive), break_even_cost,
        break_even_shift (by how much every threshold may rise, or must fall, in accuracy; nan for
        values that have none).
    perfect_information
        EVPI: the certainty equivalent of choosing with every net value known, price and utilisation
        included, less that of the choice as things stand (fund nothing is worth 0). No evidence is
        worth more.
    reach
        P(reaching each threshold): target, task, threshold, prob; empty for other values.
    sensitivity
        One row a change (of cost, threshold, discrepancy): what, by, target (the one to fund then,
        or nearest to it), its net, certainty_equivalent and prob_regret, verdict; evidence left
        out. Empty where a check failed.
    flips
        One row a kind of change: what, at (the amount nearest to no change at which something is
        funded where nothing was, or nothing where something was; nan where the verdict stays),
        lowest and highest amount that was looked at. Empty where a check failed.
    status, note
        Of the forecast.
    cost, value, preference, evidence
        As asked.
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
        tables = [
            self.options,
            self.reach,
            self.flips,
            self.sensitivity,
            *([] if self.evidence is None else [self.evidence.table]),
        ]
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
    """Fund where the certainty equivalent of value - cost is positive and P(value < cost) at most
    `most_regret`, unless evidence is worth more than it costs.

    Parameters
    ----------
    forecast
        Of one target, or of several, one of which at most is to be funded. Where its checks failed,
        the verdict is ``undecided``.
    cost
        A sum for each target, sums by target, or a `Cost`.
    value
        A `Threshold`, a `Linear`, or a function of the draws (over chain, draw, target, task) that
        leaves chain, draw and target.
    evidence
        Of `value_of_information`, for the same targets, cost, value and preferences: without it,
        nothing is said of gathering evidence first.
    risk_aversion
        0 is indifferent to risk; at 1 a fair bet of the whole stake is worth -0.43 stakes.
    most_regret
        The largest P(value < cost) at which a run is funded.
    stake
        Money that risk is measured by: the most that the value can be, where None is given; a value
        that is a function has no such.
    seed
        Of what is uncertain in the cost.

    Raises
    ------
    SettingError
        For a value that is nan or of another shape, tasks that the forecast lacks, a negative cost
        or risk aversion, a probability outside [0, 1], risk aversion without a stake where the
        value is a function, or evidence about another question.
    """
    preference = make_preference(value, risk_aversion, most_regret, stake)
    if evidence is not None:
        _same_question(evidence, forecast, cost, value, preference)
    worth = value_draws(value, forecast.draws).values.reshape(-1, len(forecast.targets))
    spent = cost_draws(cost, forecast.targets, len(worth), seed)
    net = worth - spent
    labels = [t.label for t in forecast.targets]
    options = _options(forecast, worth, spent, preference, value)
    best, funded = preference.choose(net)
    changed = changes(forecast, value, worth, spent)
    verdict, reason = _verdict(
        forecast.status, labels[best], options.iloc[best], evidence, preference, funded=funded
    )
    return Decision(
        verdict=verdict,
        target=labels[best],
        reason="; ".join(
            [reason, *doubts(forecast.table, tasks_of(value, forecast.draws["accuracy"]))]
        ),
        options=options,
        perfect_information=preference.perfect_information(net),
        reach=reach(value, forecast.draws) if isinstance(value, Threshold) else pd.DataFrame(),
        sensitivity=table(changed, labels, preference)
        if verdict != "undecided"
        else pd.DataFrame(),
        flips=flips(changed, preference) if verdict != "undecided" else pd.DataFrame(),
        status=forecast.status,
        note=forecast.note,
        cost=cost,
        value=value,
        preference=preference,
        evidence=evidence,
    )


def _same_question(
    evidence: Evidence, forecast: Forecast, cost: AnyCost, value: Value, preference: Preference
) -> None:
    """A SettingError for evidence about other tasks or targets, or another cost, value or
    preference.
    """
    pairs = {
        "tasks": (set(evidence.tasks), set(map(str, forecast.draws.task.values))),
        "targets": ({t.label: t for t in evidence.targets}, {t.label: t for t in forecast.targets}),
        "cost": (evidence.cost, cost),
        "value": (evidence.value, value),
        "preference": (evidence.preference, preference),
    }
    for what, (got, wanted) in pairs.items():
        if got != wanted:
            shown = ", ".join(sorted(got)) if isinstance(got, set | dict) else str(got)
            raise SettingError(
                "evidence",
                rule=f"must be about the {what} of the decision",
                got=shown,
                way_out="value_of_information with the same",
            )


def _options(
    forecast: Forecast, worth: np.ndarray, spent: np.ndarray, preference: Preference, value: Value
) -> pd.DataFrame:
    labels, net = [t.label for t in forecast.targets], worth - spent
    lower, upper = np.quantile(net, check_prob(0.9), axis=0)
    first = net == net.max(1, keepdims=True)
    best = (first & (net > 0)) / first.sum(1, keepdims=True)
    columns = {
        "target": labels,
        "cost": spent.mean(0),
        "value": worth.mean(0),
        "net": net.mean(0),
        "lower": lower,
        "upper": upper,
    }
    columns |= {
        "certainty_equivalent": preference.certain(net),
        "prob_regret": (net < 0).mean(0),
        "prob_best": best.mean(0),
    }
    shift = np.full(len(labels), np.nan)
    if isinstance(value, Threshold | Linear):
        margin = (
            value.margin(forecast.draws["accuracy"])
            .transpose("target", "chain", "draw")
            .values.reshape(len(labels), -1)
        )
        shift = np.array(
            [
                value.break_even_shift(m, float(c))
                for m, c in zip(margin, spent.mean(0), strict=True)
            ]
        )
    return pd.DataFrame(columns | {"break_even_cost": worth.mean(0), "break_even_shift": shift})


def _verdict(
    status: Status,
    label: str,
    option: pd.Series,
    evidence: Evidence | None,
    preference: Preference,
    *,
    funded: bool,
) -> tuple[Verdict, str]:
    figures = f"expected net value {money(option['net'])}, probability of regret {option['prob_regret']:.2f}"
    if status in ("fail", "not run"):
        return (
            "undecided",
            f"a check of the fit behind this forecast failed, so its probabilities cannot be relied on ({label}: {figures})",
        )
    if evidence is not None and evidence.status in ("fail", "not run"):
        return "undecided", f"a check of the fit behind the evidence failed ({label}: {figures})"
    if evidence is not None and evidence.best is not None:
        gain = f"{evidence.best['candidate']} is worth {money(evidence.best['net'])} more than it costs (standard error {money(evidence.best['evsi_se'])})"
        return "gather evidence first", f"{gain}; as things stand, {label}: {figures}"
    if funded:
        likely = "; regret is likelier than not" if option["prob_regret"] > 0.5 else ""
        return "fund", f"{label} is worth more than it costs: {figures}{likely}"
    if preference.risk_aversion:
        figures += f", as good as {money(option['certainty_equivalent'])} for certain"
    why = "is worth less than it costs" if option["net"] <= 0 else "is too great a risk"
    return "do not fund", f"{label} {why}: {figures}"
