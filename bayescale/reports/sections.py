"""The sections of a report in their order: for the reader who pays, then what they rest on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from bayescale.backtests.record import Backtest
from bayescale.decisions.cost import money
from bayescale.decisions.decide import Decision
from bayescale.decisions.evidence import Evidence
from bayescale.decisions.value import Threshold
from bayescale.extrapolation.predictive import COMPONENTS
from bayescale.fits.record import Fit
from bayescale.forecasts.record import Forecast
from bayescale.reports.elements import Section, Table, picture, table
from bayescale.reports.grounds import grounds

# most entries of a picture's text: the table beside it has the others
MAX_ENTRIES = 12
# without the value of perfect information: the picture has it as a line
EVIDENCE_COLUMNS = [
    "candidate",
    "cost",
    "evsi",
    "evsi_se",
    "evsi_floor",
    "net",
    "narrowing",
    "narrowing_per_cost",
    "method",
    "k",
    "reliable",
    "note",
]


def all_sections(
    fit: Fit, forecast: Forecast, backtest: Backtest | None, decision: Decision | None
) -> Iterator[Section]:
    """Every section in its order, including those that could not be filled.

    Parameters
    ----------
    fit
        The fit that the forecast was made from.
    forecast
        The forecast.
    backtest
        How well such forecasts held on the ladder's own runs; None where none was made.
    decision
        The verdict; None where none was asked for.

    Yields
    ------
    Section
        One section after the other.
    """
    yield _verdict(forecast, decision)
    yield _forecast(fit, forecast, decision)
    yield _sources(forecast)
    yield _sensitivity(decision)
    yield _evidence(decision)
    yield from grounds(fit, forecast, backtest)


def _verdict(forecast: Forecast, decision: Decision | None) -> Section:
    """The verdict, its reason, the question, and the status of the fit."""
    title = "Verdict"
    status = f"Status of the checks of the fit: {forecast.status}."
    if forecast.status == "fail":
        status += (
            " The intervals and probabilities of this report cannot be relied on. "
            "The section on the checks of the sampler names what failed."
        )
    if decision is None:
        missing = "No decision was asked for: this report has a forecast and no verdict."
        return Section(title, texts=(status,), missing=missing)
    question = (
        f"The question: is a run worth its cost? Value: {_words(decision.value)}. "
        f"Cost: {_words(decision.cost)}. Preference: {decision.preference}."
    )
    reason = f"{decision.reason[0].upper()}{decision.reason[1:]}."
    averse = ["certainty_equivalent"] if decision.preference.risk_aversion else []
    columns = ["target", "cost", "value", "net", "lower", "upper", *averse]
    options = decision.options[[*columns, "prob_regret", "prob_best"]]
    caption = (
        "Expected cost, value and net value (value less cost) of each run; "
        "lower and upper are the ends of the 90 % interval of the net value"
    )
    return Section(
        title,
        headline=decision.verdict.upper(),
        texts=(reason, question, status),
        tables=(table(caption, options),),
    )


def _words(asked: object) -> str:
    """A value or a cost in words; a function of the user by its name."""
    if isinstance(asked, Mapping):
        return ", ".join(f"{name} {money(amount)}" for name, amount in asked.items())
    if isinstance(asked, int | float):
        return money(asked)
    name = getattr(asked, "__name__", None)
    return str(asked) if name is None else f"given by the function {name}"


def _forecast(fit: Fit, forecast: Forecast, decision: Decision | None) -> Section:
    """Intervals of every task, and how far beyond the ladder the targets are."""
    # Matplotlib takes a second to load
    from bayescale.plots import plot_forecast

    quantity, rows = _quantity_rows(forecast.to_frame())
    ends = ["median", "lower", "upper"]
    if quantity == "accuracy":
        caption = "Accuracy in %: median and 90 % interval"
        # A score that falls as the loss falls is no accuracy, so it gets no number.
        is_score = rows["verdict"] != "inverse"
        rows = rows.assign(**{name: (100 * rows[name]).where(is_score) for name in ends})
        columns = ["target", "task", *ends, "verdict"]
    else:
        caption = "Loss: median and 90 % interval"
        rows = rows.assign(task=rows["loss_name"])
        columns = ["target", "task", *ends]
    tables = [table(caption, rows[columns]), _extrapolation(forecast)]
    threshold = None
    if decision is not None and isinstance(decision.value, Threshold):
        threshold = decision.value
    if decision is not None and len(decision.reach):
        tables.insert(0, table("Probability of reaching each threshold", decision.reach))
    ax = plot_forecast(forecast, ladder=fit.ladder, quantity=quantity, threshold=threshold)
    entries = "; ".join(
        f"{row.target}, {row.task}: {row.median:.3g} ({row.lower:.3g} to {row.upper:.3g})"
        for row in rows.dropna(subset=ends).head(MAX_ENTRIES).itertuples()
    )
    others = "; the table has the others" if len(rows) > MAX_ENTRIES else ""
    against = f", against the threshold: {threshold}" if threshold is not None else ""
    alternative = f"Medians and 90 % intervals{against}. {entries}{others}."
    return Section(
        "Forecast",
        texts=(forecast.note,),
        tables=tuple(tables),
        pictures=(picture(ax, alternative),),
    )


def _quantity_rows(frame: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """The rows of accuracies, or of losses where there are no accuracies."""
    quantity = "accuracy" if (frame["quantity"] == "accuracy").any() else "loss"
    return quantity, frame[frame["quantity"] == quantity]


def _extrapolation(forecast: Forecast) -> Table:
    """Extrapolation factor of each target."""
    rows = forecast.extrapolation[["target", "extrapolation_factor", "note"]]
    heading = {"extrapolation_factor": "times the largest fitted compute"}
    return table("Distance from the ladder", rows.rename(columns=heading))


def _sources(forecast: Forecast) -> Section:
    """Shares of the variance by source."""
    _, rows = _quantity_rows(forecast.variance())
    shares = rows.assign(**{source: 100 * rows[source] for source in COMPONENTS})
    shares = shares.drop(columns=["corpus", "quantity", "sd"]).round(0)
    text = (
        "Discrepancy is the error of the law and of the link themselves. It grows with the "
        "distance from the runs of the ladder: runs nearer to the target make it smaller."
    )
    caption = "Share of each source in the variance of the forecast, %"
    whole = shares.astype(dict.fromkeys(COMPONENTS, int))
    return Section(
        "Where the uncertainty comes from", texts=(text,), tables=(table(caption, whole),)
    )


def _sensitivity(decision: Decision | None) -> Section:
    """Amounts at which the verdict flips, and the verdict at other amounts."""
    title = "What would change the verdict"
    if decision is None:
        return Section(title, missing="There is no verdict.")
    if not len(decision.flips):
        missing = "A check failed: the verdict is undecided, and no amount was changed."
        return Section(title, missing=missing)
    flips = "; ".join(
        _flip(what, at, lowest, highest)
        for what, at, lowest, highest in decision.flips.itertuples(index=False)
    )
    texts = (
        f"The choice between funding a run and funding none flips at: {flips}. "
        "Each amount was changed alone.",
        "Perfect information, on the value and the cost of each run before the decision, would be "
        f"worth {money(decision.perfect_information)}. No evidence can be worth more.",
    )
    changed = table("The same question with one amount changed", decision.sensitivity)
    return Section(title, texts=texts, tables=(changed,))


def _flip(what: str, at: float, lowest: float, highest: float) -> str:
    """One kind of change, such as "cost, times", and the amount at which the verdict flips."""
    name, _, operation = what.partition(", ")
    if np.isnan(at):
        return f"{name}: no amount from {lowest:g} to {highest:g}"
    return f"{name} {operation} {at:.3g}"


def _evidence(decision: Decision | None) -> Section:
    """Value of the candidates, and which of them to buy first."""
    title = "Which runs to buy first"
    if decision is None or decision.evidence is None:
        missing = (
            "The value of smaller runs was not asked for (value_of_information in Python, "
            "--candidates on the command line)."
        )
        return Section(title, missing=missing)
    from bayescale.plots import plot_evidence

    evidence = decision.evidence
    meaning = (
        "evsi is the expected value of sample information, in money; evsi se is its Monte Carlo "
        "standard error, and evsi floor is the evsi that Monte Carlo error alone can reach. "
        "Narrowing is the share by which the 90 % interval of the target is expected to become "
        "narrower."
    )
    entries = "; ".join(
        f"{row.candidate}: {money(row.evsi)} for {money(row.cost)}"
        for row in evidence.table.head(MAX_ENTRIES).itertuples()
    )
    alternative = f"Expected value of each candidate's information, and its cost. {entries}."
    return Section(
        title,
        texts=(_advice(evidence), meaning),
        tables=(table("Candidates, the best first", evidence.table[EVIDENCE_COLUMNS]),),
        pictures=(picture(plot_evidence(evidence), alternative),),
    )


def _advice(evidence: Evidence) -> str:
    """The candidate to buy first, or why there is none."""
    if evidence.best is not None:
        return f"Buy first: {evidence.best['candidate']}."
    if evidence.status == "fail":
        return "A check of the fit behind this evidence failed: these values cannot be relied on."
    return "No candidate is worth more than its cost beyond Monte Carlo error."
