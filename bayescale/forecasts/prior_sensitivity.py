"""Which priors a forecast leans on, and whether priors and data agree on each parameter.

Each prior is raised to a power near 1 and the draws are weighed accordingly: power-scaling
(Kallioinen et al. 2024, Statistics and Computing 34).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.errors import SettingError
from bayescale.fits.record import Fit, require_fit
from bayescale.forecasts.record import Forecast, require_forecast
from bayescale.inference.posterior import by_cell
from bayescale.models.stages import Stages
from bayescale.runtime import fixed_generator

# Sensitivity above which a prior is informative (Kallioinen et al. 2024).
LEANS = 0.05
# Random orders of the draws, and the quantile of them that Monte Carlo error alone gives.
SHUFFLES = 20
FLOOR = 0.9


def prior_sensitivity(fit: Fit, forecast: Forecast) -> pd.DataFrame:
    """Distance between forecasts under prior^a and under the prior, per doubling of a, a near 1.

    The quantity is the mean accuracy over all tasks of each target, or without accuracies the mean
    log loss. The priors scaled are those of populations, of spreads between series, and of what is
    not pooled (group ``log_prior`` of `Fit.losses` and `Fit.accuracies`), those of the sd of the
    errors of law and link among them. What these errors gain beyond the ladder has fixed scales:
    `Forecast.scaled` asks for these. The weights of a mixture are taken as they are.

    Parameters
    ----------
    fit
        A fit, or a mixture of fits.
    forecast
        A forecast by this fit.

    Returns
    -------
    pandas.DataFrame
        One row per (target, prior), and one for all priors together, the largest first: target,
        prior, sensitivity, floor (of draws in a random order: a sensitivity below it cannot be told
        from 0), leans (sensitivity above 0.05 and above the floor). ``frame.attrs`` holds the
        status of the fit.

    Raises
    ------
    SettingError
        For a fit saved by a version that did not keep the densities of its priors, and a forecast
        with another number of draws.

    Examples
    --------
    >>> import bayescale as bs
    >>> bs.setup(chains=2)
    >>> ladder = bs.load_dataset("ladder2024", tasks=["hellaswag"])
    >>> fit = bs.fit(ladder, law="compute", discrepancy="none", chains=2, draws=100)
    >>> forecast = bs.forecast(fit, ladder.targets())
    >>> list(bs.prior_sensitivity(fit, forecast).columns)
    ['target', 'prior', 'sensitivity', 'floor', 'leans']
    """
    import arviz_stats as stats

    require_fit(fit)
    require_forecast(forecast)
    log_priors = _log_priors(fit)
    densities = xr.Dataset({_variable(i): v for i, v in enumerate(log_priors.values())})
    quantity = _quantity(forecast)
    shape = dict(densities.sizes)
    if shape != {dim: quantity.sizes[dim] for dim in ("chain", "draw")}:
        raise SettingError(
            "the forecast",
            rule="must be of this fit",
            got=f"{dict(quantity.sizes)} draws for {shape}",
            way_out="forecast(fit, targets)",
        )
    tree = xr.DataTree.from_dict(
        {"/posterior": _with_shuffles(quantity, shape), "/log_prior": densities}
    )
    groups = {"all together": list(densities)}
    groups |= {name: [_variable(i)] for i, name in enumerate(log_priors)}
    rows: list[dict[str, object]] = []
    for name, variables in groups.items():
        distance = stats.psense(tree, group="prior", group_var_names=variables)
        shuffled = [distance[f"shuffled {i}"] for i in range(SHUFFLES)]
        floor = np.quantile(shuffled, FLOOR, axis=0)
        values = distance["forecast"].values
        for target, value, noise in zip(distance.target.values, values, floor, strict=True):
            rows.append(
                {
                    "target": str(target),
                    "prior": name,
                    "sensitivity": float(value),
                    "floor": float(noise),
                    "leans": bool(value > max(LEANS, noise)),
                }
            )
    return _sorted(rows, "sensitivity", fit)


def _quantity(forecast: Forecast) -> xr.DataArray:
    """What a forecast is judged by: the mean accuracy, or without accuracies the mean log loss."""
    accuracy = forecast.draws["accuracy"]
    losses_alone = bool(accuracy.isnull().all())  # noqa: PD003 (xarray's name)
    return (np.log(forecast.draws["loss"]) if losses_alone else accuracy).mean("task")


def _with_shuffles(quantity: xr.DataArray, shape: dict[str, int]) -> xr.Dataset:
    """The draws as they are, and in random orders that tell nothing."""
    rng = fixed_generator()
    dims = ("target", "chain", "draw")
    flat = quantity.stack(sample=("chain", "draw"))
    variables: dict[str, object] = {"forecast": quantity.transpose(*dims)}
    for i in range(SHUFFLES):
        order = rng.permutation(flat.sizes["sample"])
        values = flat.isel(sample=order).values.reshape(len(flat.target), *shape.values())
        variables[f"shuffled {i}"] = (dims, values)
    return xr.Dataset(variables)


def parameter_sensitivity(fit: Fit) -> pd.DataFrame:
    """Distance of each parameter's posterior under prior^a and under likelihood^a, a near 1.

    Only parameters with a prior of their own are judged.

    Parameters
    ----------
    fit
        A fit; of a mixture, the heaviest member is judged.

    Returns
    -------
    pandas.DataFrame
        One row per number, the largest first: step (``loss`` or ``accuracy``), parameter, series,
        prior, likelihood, and reading. Where the prior's sensitivity is above 0.05, reading says
        whether the data's is too (both tell, and may be in conflict) or not (the data say little).
        ``frame.attrs`` holds the status of the fit.

    Raises
    ------
    SettingError
        For a fit saved by a version that did not keep the densities of its priors.
    """
    import arviz_stats as stats

    require_fit(fit)
    rows: list[dict[str, object]] = []
    for stage, tree in Stages(fit.losses, fit.accuracies).named():
        log_prior = _densities(tree)
        cells = list(by_cell(tree["posterior"].to_dataset()[list(log_prior.data_vars)]))
        scaled = xr.DataTree.from_dict(
            {
                "/posterior": xr.Dataset({_variable(i): v for i, (_, v) in enumerate(cells)}),
                "/log_prior": log_prior,
                "/log_likelihood": tree["sample_stats"].to_dataset()[["log_evidence"]],
            }
        )
        prior, likelihood = (stats.psense(scaled, group=group) for group in ("prior", "likelihood"))
        for i, ((name, series), _) in enumerate(cells):
            of_prior = float(prior[_variable(i)])
            of_data = float(likelihood[_variable(i)])
            rows.append(
                {
                    "step": stage,
                    "parameter": name,
                    "series": series,
                    "prior": of_prior,
                    "likelihood": of_data,
                    "reading": _reading(of_prior, of_data),
                }
            )
    return _sorted(rows, "prior", fit)


def _reading(of_prior: float, of_data: float) -> str:
    if of_prior <= LEANS:
        return ""
    if of_data > LEANS:
        return "prior and data both tell, and may be in conflict"
    return "the data say little"


def _sorted(rows: list[dict[str, object]], by: str, fit: Fit) -> pd.DataFrame:
    """The rows with the largest first, and the status of the fit."""
    frame = pd.DataFrame(rows).sort_values(by, ascending=False, ignore_index=True)
    frame.attrs = {"status": fit.status}
    return frame


def _variable(i: int) -> str:
    """Name of the i-th variable: a tree takes no name with a slash, and a user's may have one."""
    return f"number {i}"


def _log_priors(fit: Fit) -> dict[str, xr.DataArray]:
    """ln p of every prior, named by law, link and route.

    Densities of posteriors that several components share come once.
    """
    named: list[tuple[str, xr.Dataset]] = []
    for i, name, tree in _trees(fit):
        densities = _densities(tree)
        if any(densities.equals(other) for _, other in named):
            continue
        taken = len(fit.components) > 1 and any(other == name for other, _ in named)
        named.append((f"{name}, member {i + 1}" if taken else name, densities))
    return {
        f"{name}: {variable}": values
        for name, densities in named
        for variable, values in densities.items()
    }


def _trees(fit: Fit) -> Iterator[tuple[int, str, xr.DataTree]]:
    """Index of the component, name of the law or link, and posterior, of every stage."""
    for i, component in enumerate(fit.components):
        yield i, f"law {component.law.name}", component.losses
        if component.accuracies is not None:
            yield i, f"link via {component.route or 'own loss'}", component.accuracies


def _densities(tree: xr.DataTree) -> xr.Dataset:
    """The log densities of the priors that a posterior keeps."""
    if "log_prior" not in tree.children:
        raise SettingError(
            "the fit",
            rule="must hold the densities of its priors",
            got="one without the group log_prior",
            way_out="fit again",
        )
    return tree["log_prior"].to_dataset()
