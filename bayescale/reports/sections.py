"""The sections of a report in their order: for whoever pays, then for the sceptic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from bayescale.backtests.record import OURS, Backtest
from bayescale.checks import to_frame
from bayescale.data.ladder import Ladder
from bayescale.decisions.cost import money
from bayescale.decisions.decide import Decision
from bayescale.decisions.value import Threshold
from bayescale.errors import SettingError
from bayescale.extrapolation.predictive import COMPONENTS
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import Forecast
from bayescale.forecasts.prior_sensitivity import parameter_sensitivity, prior_sensitivity
from bayescale.reports.elements import Section, picture, table


def all_sections(
    fit: Fit, forecast: Forecast, backtest: Backtest | None, decision: Decision | None
) -> Iterator[Section]:
    """Every section, those included that could not be filled."""
    yield _verdict(forecast, decision)
    yield _forecast(fit, forecast, decision)
    yield _sources(forecast)
    yield _sensitivity(decision)
    yield _evidence(decision)
    yield _backtest(backtest)
    yield _checks(fit)
    yield _predictive(fit)
    yield _priors(fit)
    yield _influence(fit, forecast)
    yield _weights(fit)
    yield _data(fit, forecast)


def _verdict(forecast: Forecast, decision: Decision | None) -> Section:
    status = f"Status of the checks of the fit behind this report: {forecast.status}."
    if forecast.status in ("fail", "not run"):
        status += " Its intervals and probabilities cannot be relied on; what failed stands under the checks of the sampler."
    if decision is None:
        return Section(
            "Verdict",
            texts=(status,),
            missing="No decision was asked for: this report forecasts, and does not advise.",
        )
    asked = f"Asked: is a run worth its cost, if its value is {_words(decision.value)}, and its cost {_words(decision.cost)}? ({decision.preference})"
    texts = (f"{decision.reason[0].upper()}{decision.reason[1:]}.", asked, status)
    averse = ["certainty_equivalent"] if decision.preference.risk_aversion else []
    options = decision.options[
        ["target", "cost", "value", "net", "lower", "upper", *averse, "prob_regret", "prob_best"]
    ]
    return Section(
        "Verdict",
        headline=decision.verdict.upper(),
        texts=texts,
        tables=(table("Money, by run; lower and upper: 90 % interval of the net value", options),),
    )


def _words(asked: object) -> str:
    """A value or a cost as whoever asked would say it; a function of the user's by its name."""
    if isinstance(asked, Mapping):
        return ", ".join(f"{name} {money(sum_)}" for name, sum_ in asked.items())
    return (
        money(asked)
        if isinstance(asked, int | float)
        else f"by {asked.__name__}"
        if hasattr(asked, "__name__")
        else str(asked)
    )


def _forecast(fit: Fit, forecast: Forecast, decision: Decision | None) -> Section:
    from bayescale.plots import plot_forecast  # Matplotlib takes a second to load

    quantity, of = _of_interest(forecast.to_frame())
    unit, figures = 100 if quantity == "accuracy" else 1, ["median", "lower", "upper"]
    named = of.assign(
        task=of["task" if quantity == "accuracy" else "loss_name"],
        **{name: unit * of[name] for name in figures},
    )
    caption = f"{'Accuracy, %' if quantity == 'accuracy' else 'Loss'}: median and 90 % interval"
    tables = [
        table(
            caption,
            named[["target", "task", *figures, *(["verdict"] if quantity == "accuracy" else [])]],
        )
    ]
    far = forecast.extrapolation.rename(
        columns={"extrapolation_factor": "times the largest fitted compute"}
    )
    tables.append(table("How far beyond the ladder", far))
    if decision is not None and len(decision.reach):
        tables.insert(0, table("Probability of reaching each threshold", decision.reach))
    threshold = (
        decision.value if decision is not None and isinstance(decision.value, Threshold) else None
    )
    ax = plot_forecast(forecast, ladder=fit.ladder, quantity=quantity, threshold=threshold)
    said = "; ".join(
        f"{r.target}, {r.task}: {r.median:.3g} ({r.lower:.3g} to {r.upper:.3g})"
        for r in named.head(12).itertuples()
    )
    said += "; the others stand in the table" if len(named) > 12 else ""
    against = f", against the threshold: {threshold}" if threshold is not None else ""
    return Section(
        "Forecast",
        texts=(forecast.note,),
        tables=tuple(tables),
        pictures=(picture(ax, f"Medians and 90 % intervals{against}. {said}."),),
    )


def _of_interest(frame: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """The rows of accuracies, or of losses where there are none."""
    quantity = "accuracy" if (frame["quantity"] == "accuracy").any() else "loss"
    return quantity, frame[frame["quantity"] == quantity]


def _sources(forecast: Forecast) -> Section:
    _, mine = _of_interest(forecast.variance())
    percent = mine.assign(**{part: 100 * mine[part] for part in COMPONENTS}).drop(
        columns=["corpus", "quantity", "sd"]
    )
    text = "Discrepancy is what law and link do not know. It grows with every e-fold of compute from the ladder's dearest run: only a dearer run brings it nearer."
    return Section(
        "Where the uncertainty comes from",
        texts=(text,),
        tables=(
            table(
                "Share of the variance, %", percent.round(0).astype(dict.fromkeys(COMPONENTS, int))
            ),
        ),
    )


def _sensitivity(decision: Decision | None) -> Section:
    title = "What would change the verdict"
    if decision is None:
        return Section(title, missing="There is no verdict.")
    if not len(decision.flips):
        return Section(
            title, missing="A check failed: what is undecided has no verdict that could change."
        )
    turns = [
        f"{what.replace(',', '')} {at:.3g}"
        if at == at
        else f"{what.replace(', times', '').replace(', plus', '')}: at none from {lowest:g} to {highest:g}"
        for what, at, lowest, highest in decision.flips.itertuples(index=False)
    ]
    texts = (
        f"Where funding something and funding nothing change places, each by itself: {'; '.join(turns)}.",
        f"Knowing beforehand what each run would be worth and cost would be worth {money(decision.perfect_information)}: no evidence is worth more.",
    )
    return Section(
        title, texts=texts, tables=(table("The same question, changed", decision.sensitivity),)
    )


def _evidence(decision: Decision | None) -> Section:
    title = "Which runs to buy first"
    if decision is None or decision.evidence is None:
        return Section(
            title,
            missing="Nobody asked what small runs would teach (value_of_information; on the command line --candidates).",
        )
    from bayescale.plots import plot_evidence

    evidence = decision.evidence
    columns = [
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
    best = evidence.best
    failed = "A check of the fit behind this evidence failed: it cannot be relied on."
    none = (
        failed
        if evidence.status in ("fail", "not run")
        else "None is worth its cost beyond Monte Carlo error."
    )
    text = none if best is None else f"First {best['candidate']}."
    said = "; ".join(
        f"{r.candidate}: {money(r.evsi)} for {money(r.cost)}"
        for r in evidence.table.head(12).itertuples()
    )
    return Section(
        title,
        texts=(
            text,
            "Narrowing: the share by which the 90 % interval of the target is expected to become narrower.",
        ),
        tables=(
            table(
                "Expected value of sample information (evsi), best first", evidence.table[columns]
            ),
        ),
        pictures=(
            picture(
                plot_evidence(evidence),
                f"Expected value of each candidate's information, and its cost. {said}.",
            ),
        ),
    )


def _backtest(backtest: Backtest | None) -> Section:
    title = "How such forecasts have held"
    if backtest is None:
        return Section(
            title,
            missing="No backtest was made: nobody has looked how intervals like these held on this ladder's own dearer runs.",
        )
    from bayescale.plots import plot_calibration

    coverage = backtest.coverage().query("prob == 0.9").drop(columns="prob")
    scores = backtest.scores().sort_values(["quantity", "crps"])
    scores["model"] = scores["model"].replace(OURS, "this forecast's settings")
    quantity = str(coverage["quantity"].iloc[0])
    ax = plot_calibration(backtest, quantity=quantity)
    shares = "; ".join(
        f"{r.factor}: {100 * r.coverage:.0f} %"
        for r in coverage[coverage["quantity"] == quantity].itertuples()
    )
    said = f"Share of {quantity} inside intervals against their nominal probability. Inside 90 % intervals, by extrapolation factor: {shares}."
    tables = (
        table(
            "Coverage of 90 % intervals, with the 90 % interval of a bootstrap over cuts", coverage
        ),
        table("Scores, less is better", scores),
    )
    return Section(title, texts=(repr(backtest),), tables=tables, pictures=(picture(ax, said),))


def _checks(fit: Fit) -> Section:
    frame = to_frame(fit.checks)
    # R-hat is told from its limit in the fourth digit
    frame["value"] = frame["value"].map("{:.4g}".format)
    short = [f"{c.check} ({c.status}): {c.advice}" for c in fit.checks if c.status != "pass"]
    said = (
        "Every check passed; none of the data or the design warns that the runs cannot tell parameters apart."
        if not short
        else "What did not pass:"
    )
    texts = (f"Gravest status: {fit.status}.", said)
    return Section(
        "Checks of the sampler and the design",
        texts=texts,
        tables=(table("Every check", frame),),
        points=tuple(short),
    )


def _predictive(fit: Fit) -> Section:
    title = "Does the model give back its own data?"
    rows = []
    for step, tree in (("loss", fit.losses), ("accuracy", fit.accuracies)):
        if tree is None or "posterior_predictive" not in tree.children:
            continue
        drawn, seen = (
            next(iter(tree[g].to_dataset().data_vars.values()))
            for g in ("posterior_predictive", "observed_data")
        )
        lower, upper = (drawn.quantile(q, ("chain", "draw")) for q in (0.05, 0.95))
        there = seen.notnull()  # noqa: PD004 (xarray has no other name)
        inside = ((lower <= seen) & (seen <= upper)).where(there)
        rows.append(
            {
                "step": step,
                "cells": int(there.sum()),
                "inside 90 % predictive interval, %": round(100 * float(inside.mean())),
            }
        )
    if not rows:
        return Section(title, missing="The fit holds no predictive draws.")
    return Section(
        title,
        texts=("90 % should lie inside, or somewhat more: these are the runs that were fitted.",),
        tables=(table("Posterior predictive draws against the fitted runs", pd.DataFrame(rows)),),
    )


def _priors(fit: Fit) -> Section:
    summary = fit.summary()
    top = summary[summary["parameter"].str.startswith("population_")]
    chosen = (top if len(top) else summary).drop(columns=["sd", "sd_prior"])
    text = "Where a posterior is its prior, the data have said nothing."
    return Section(
        "Prior beside posterior",
        texts=(text,),
        tables=(table("Means, and 5 % and 95 % quantiles", chosen.head(60)),),
    )


def _influence(fit: Fit, forecast: Forecast) -> Section:
    title = "Which priors the forecast leans on"
    try:
        of_forecast, of_parameters = prior_sensitivity(fit, forecast), parameter_sensitivity(fit)
    except SettingError as error:
        return Section(title, missing=f"Could not be computed: {error}")
    leans = of_forecast[of_forecast["leans"]]
    said = "; ".join(f"{r.prior} (for {r.target})" for r in leans.itertuples()) or "none"
    about = "mean log loss" if forecast.draws["accuracy"].isnull().all() else "mean accuracy"  # noqa: PD003 (xarray's name)
    texts = (
        f"Each prior was made a little stronger and a little weaker, and the {about} of each target weighed accordingly (power-scaling). Priors on which it "
        f"leans, with a sensitivity above 0.05 and above what Monte Carlo error alone gives: {said}.",
        "Priors of the errors beyond the ladder are not among these: the table of what would change the verdict scales the errors themselves.",
    )
    tables = (
        table("The forecast: sensitivity to each prior, the largest first", of_forecast.head(20)),
        table(
            "The parameters: sensitivity to all priors of their step together, and to the data, the largest first",
            of_parameters.head(20),
        ),
    )
    return Section(title, texts=texts, tables=tables)


def _weights(fit: Fit) -> Section:
    title = "Laws, links and routes"
    if not len(fit.weights):
        return Section(
            title,
            texts=(
                f"Law {fit.law.name}{f', link {fit.link.name}' if fit.link else ''}: one of each, no mixture.",
            ),
        )
    return Section(
        title, tables=(table("Weights of the mixture", fit.weights.drop(columns=["member"])),)
    )


def _data(fit: Fit, forecast: Forecast) -> Section:
    runs = fit.ladder.runs.reset_index().drop(columns=["unique_tokens"])
    return Section(
        "The data, and what must be stated",
        texts=(f"{fit.ladder!r}. Source: {fit.ladder.source or 'not stated'}.",),
        tables=(table("Runs", runs.head(120)),),
        points=tuple(statements(fit.ladder, forecast)),
    )


def statements(ladder: Ladder, forecast: Forecast) -> list[str]:
    """One sentence a convention: what is known, or that nobody said."""
    known, runs = ladder.conventions, ladder.runs
    unsaid = "not stated"
    units = ", ".join(f"{name} in {unit}" for name, unit in known.loss_units.items()) or unsaid
    left_out = {role: list(of.index) for role, of in runs.groupby("role") if role != "fit"}
    listed = (
        "; ".join(
            f"{role}: {', '.join(names[:8])}{' and more' if len(names) > 8 else ''}"
            for role, names in left_out.items()
        )
        or "none"
    )
    shifts = ", ".join(f"{t.label} {t.shift:g}" for t in forecast.targets if t.shift) or "none"
    return [
        f"How parameters are counted: {known.params or unsaid}.",
        f"Tokenizer: {known.tokenizer or unsaid}.",
        f"Units of losses: {units}.",
        f"Compute: {'measured' if ladder.compute_is_measured else '6ND'} for ladder and target alike.",
        f"Checkpoints: {'a table of checkpoints; the last one of each run counts' if ladder.frame['step'].notna().any() else 'one figure a run'}.",
        f"Runs that were not fitted, by role: {listed}.",
        f"Targets widened on purpose for being unlike the ladder: {shifts}.",
        "Learning-rate schedule, batch size and data order: not in the table; a target that differs in them wants shift=.",
    ]
