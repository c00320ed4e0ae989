"""The sections on which a forecast rests, for the sceptical reader of a report."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from bayescale.backtests.record import OURS, Backtest
from bayescale.checks import to_frame
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.prior_sensitivity import parameter_sensitivity, prior_sensitivity
from bayescale.forecasts.record import Forecast
from bayescale.reports.elements import Section, picture, table
from bayescale.reports.statements import statements

# what a backtest cuts by, in words
CUT_BY = {"flops": "training compute", "params": "model size", "tokens": "training tokens"}
# most rows of the long tables
MAX_RUNS = 120
MAX_PARAMETERS = 60
MAX_PRIORS = 20


def grounds(fit: Fit, forecast: Forecast, backtest: Backtest | None) -> Iterator[Section]:
    """Backtest, checks, predictive draws, priors, weights and data, one section each.

    Parameters
    ----------
    fit
        The fit that the forecast was made from.
    forecast
        The forecast.
    backtest
        Forecasts of the ladder's own runs by the same settings; None where none were made.

    Yields
    ------
    Section
        One section after the other, including those that could not be filled.
    """
    yield _backtest(backtest)
    yield _checks(fit)
    yield _predictive(fit)
    yield _priors(fit)
    yield _influence(fit, forecast)
    yield _weights(fit)
    yield _data(fit, forecast)


def _backtest(backtest: Backtest | None) -> Section:
    """Coverage and scores of forecasts of the ladder's own larger runs."""
    title = "How such forecasts have held"
    if backtest is None:
        missing = (
            "No backtest was made: it is unknown how well intervals like these held on the larger "
            "runs of this ladder."
        )
        return Section(title, missing=missing)
    from bayescale.plots import plot_calibration

    ours = backtest.cases[backtest.cases["model"] == OURS]
    cut_by = CUT_BY.get(backtest.by, backtest.by)
    text = (
        f"The ladder was cut at {ours['cut'].nunique()} values of {cut_by}: the runs below a cut "
        f"were fitted, and the runs above it were forecast ({len(ours)} cases). "
        f"Status of the checks of these fits: {backtest.status}."
    )
    coverage = backtest.coverage().query("prob == 0.9").drop(columns="prob")
    scores = backtest.scores().sort_values(["quantity", "crps"])
    scores["model"] = scores["model"].replace(OURS, "this forecast's settings")
    quantity = str(coverage["quantity"].iloc[0])
    shares = "; ".join(
        f"{row.factor}: {100 * row.coverage:.0f} %"
        for row in coverage[coverage["quantity"] == quantity].itertuples()
    )
    alternative = (
        f"Share of cases of {quantity} inside their intervals, against the nominal probability. "
        f"Inside 90 % intervals, by extrapolation factor: {shares}."
    )
    coverage_caption = (
        "Coverage of 90 % intervals; lower and upper are the ends of a 90 % bootstrap interval "
        "over cuts"
    )
    scores_caption = (
        "Scores in % of a loss, or in points of an accuracy; lower crps, interval score and "
        "absolute error are better"
    )
    return Section(
        title,
        texts=(text,),
        tables=(table(coverage_caption, coverage), table(scores_caption, scores)),
        pictures=(picture(plot_calibration(backtest, quantity=quantity), alternative),),
    )


def _checks(fit: Fit) -> Section:
    """Every check of the sampler, the data and the design."""
    frame = to_frame(fit.checks)
    # R-hat differs from its limit in the fourth digit
    frame["value"] = frame["value"].map("{:.4g}".format)
    not_passed = [
        f"{check.check} ({check.status}): {check.advice}"
        for check in fit.checks
        if check.status != "pass"
    ]
    text = "The list below the table names the checks that did not pass."
    if not not_passed:
        text = (
            "Every check passed, also the checks of whether the data and the design can tell the "
            "parameters apart."
        )
    return Section(
        "Checks of the sampler and the design",
        texts=(f"Gravest status among the checks: {fit.status}. {text}",),
        tables=(table("Every check", frame),),
        points=tuple(not_passed),
    )


def _predictive(fit: Fit) -> Section:
    """Share of the fitted outcomes inside their posterior predictive intervals."""
    title = "Does the model give back its own data?"
    rows = []
    for quantity, tree in (("loss", fit.losses), ("accuracy", fit.accuracies)):
        if tree is None or "posterior_predictive" not in tree.children:
            continue
        drawn = next(iter(tree["posterior_predictive"].to_dataset().data_vars.values()))
        observed = next(iter(tree["observed_data"].to_dataset().data_vars.values()))
        lower = drawn.quantile(0.05, ("chain", "draw"))
        upper = drawn.quantile(0.95, ("chain", "draw"))
        is_known = observed.notnull()  # noqa: PD004 (xarray has no other name)
        inside = ((lower <= observed) & (observed <= upper)).where(is_known)
        rows.append(
            {
                "quantity": quantity,
                "fitted outcomes": int(is_known.sum()),
                "inside 90 % predictive interval, %": round(100 * float(inside.mean())),
            }
        )
    if not rows:
        return Section(title, missing="The fit has no posterior predictive draws.")
    text = (
        "At least about 90 % of the outcomes should lie inside their intervals, because the model "
        "was fitted to them."
    )
    caption = "Outcomes of the fitted runs against posterior predictive draws"
    return Section(title, texts=(text,), tables=(table(caption, pd.DataFrame(rows)),))


def _priors(fit: Fit) -> Section:
    """Prior and posterior of the populations, or of each series where none are shared."""
    summary = fit.summary()
    populations = summary[summary["parameter"].str.startswith("population_")]
    shown = populations if len(populations) else summary
    text = "Where posterior and prior agree, the data hold no information on the parameter."
    caption = "Means, and 5 % and 95 % quantiles (lower, upper)"
    return Section(
        "Prior beside posterior",
        texts=(text,),
        tables=(table(caption, shown.drop(columns=["sd", "sd_prior"]), most=MAX_PARAMETERS),),
    )


def _influence(fit: Fit, forecast: Forecast) -> Section:
    """How much each prior moves the forecast and the parameters."""
    title = "Which priors the forecast leans on"
    try:
        of_forecast = prior_sensitivity(fit, forecast)
        of_parameters = parameter_sensitivity(fit)
    except SettingError as error:
        return Section(title, missing=f"The sensitivity could not be computed: {error}")
    leans = of_forecast[of_forecast["leans"]]
    priors = "; ".join(f"{row.prior} (for {row.target})" for row in leans.itertuples())
    no_accuracy = forecast.draws["accuracy"].isnull().all()  # noqa: PD003 (xarray's name)
    quantity = "mean log loss" if no_accuracy else "mean accuracy"
    texts = (
        "Each prior was made a little stronger and a little weaker (power-scaling), and the change "
        f"of the {quantity} of each target was measured. The forecast leans on a prior whose "
        "sensitivity is above 0.05 and above the level that Monte Carlo error alone reaches (the "
        f"floor): {priors or 'none'}.",
        "What the errors of law and link gain beyond the ladder has fixed scales. Where there is a "
        "verdict, the section on what would change it scales these errors.",
    )
    parameters_caption = (
        "The parameters: sensitivity to all priors of the losses or of the accuracies together, "
        "and to the data, the largest first"
    )
    tables = (
        table(
            "The forecast: sensitivity to each prior, the largest first",
            of_forecast,
            most=MAX_PRIORS,
        ),
        table(parameters_caption, of_parameters, most=MAX_PRIORS),
    )
    return Section(title, texts=texts, tables=tables)


def _weights(fit: Fit) -> Section:
    """Weights of a mixture, or the one law and link."""
    title = "Laws, links and routes"
    if len(fit.weights):
        weights = fit.weights.drop(columns=["member"])
        return Section(title, tables=(table("Weights of the mixture", weights),))
    link = f" and link {fit.link.name}" if fit.link else ""
    return Section(title, texts=(f"Law {fit.law.name}{link}: no mixture.",))


def _data(fit: Fit, forecast: Forecast) -> Section:
    """The runs, and the statements that a scaling study has to make."""
    runs = fit.ladder.runs.reset_index().drop(columns=["unique_tokens"])
    source = fit.ladder.source or "not stated"
    return Section(
        "The data, and what must be stated",
        texts=(f"{fit.ladder!r}. Source: {source}.",),
        tables=(table("Runs", runs, most=MAX_RUNS),),
        points=tuple(statements(fit.ladder, forecast)),
    )
