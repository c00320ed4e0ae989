"""Which priors a forecast leans on, and whether priors and data agree on each parameter: by
power-scaling them a little.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import Forecast
from bayescale.inference.posterior import by_cell

LEANS = 0.05  # Kallioinen et al. 2024: above it a prior is informative
SHUFFLES = 20  # of the draws: what Monte Carlo error alone comes to
FLOOR = 0.9  # quantile of the shuffles


def prior_sensitivity(fit: Fit, forecast: Forecast) -> pd.DataFrame:
    """Distance between the forecast under prior^a and as it is, for each doubling of a, at a near 1
    (Kallioinen et al. 2024, Stat Comput 34).

    Of each target the mean accuracy over all tasks is looked at, or, without accuracies, the mean
    log loss. The priors scaled are those of populations, of spreads between series, and of what is
    not pooled (group ``log_prior`` of `Fit.losses` and `Fit.accuracies`). Those of the errors
    beyond the ladder are not among them: `Forecast.scaled` asks for these. The weights of a mixture
    are taken as they are.

    Returns
    -------
    pandas.DataFrame
        One row a (target, prior), and one for all priors together: target, prior, sensitivity,
        floor (what draws in a random order give: below it the sensitivity cannot be told from
        none), leans (sensitivity above 0.05 and above the floor). ``frame.attrs`` holds the status
        of the fit.

    Raises
    ------
    SettingError
        For a fit saved by a version that did not keep the densities of its priors, and a forecast
        with another number of draws.
    """
    import arviz_stats as stats

    found = _log_priors(fit)
    densities = xr.Dataset({_number(i): v for i, v in enumerate(found.values())})
    prior = dict(zip(densities, found, strict=True))
    looked_at = _of_interest(forecast)
    if dict(densities.sizes) != {k: looked_at.sizes[k] for k in ("chain", "draw")}:
        got = f"{dict(looked_at.sizes)} draws for {dict(densities.sizes)}"
        raise SettingError(
            "the forecast", rule="must be of this fit", got=got, way_out="forecast(fit, targets)"
        )
    rng = np.random.default_rng(0)
    flat = looked_at.stack(sample=("chain", "draw"))
    shuffled = [
        flat.isel(sample=rng.permutation(flat.sizes["sample"])).values.reshape(
            len(flat.target), *densities.sizes.values()
        )
        for _ in range(SHUFFLES)
    ]
    dims = ("target", "chain", "draw")
    draws = {"forecast": looked_at.transpose(*dims)} | {
        f"shuffled {i}": (dims, v) for i, v in enumerate(shuffled)
    }
    tree = xr.DataTree.from_dict({"/posterior": xr.Dataset(draws), "/log_prior": densities})
    rows = []
    for name, those in [
        ("all together", list(densities)),
        *((name, [number]) for number, name in prior.items()),
    ]:
        distance = stats.psense(tree, group="prior", group_var_names=those)
        floor = np.quantile([distance[f"shuffled {i}"] for i in range(SHUFFLES)], FLOOR, axis=0)
        for target, value, noise in zip(
            distance.target.values, distance["forecast"].values, floor, strict=True
        ):
            about = {
                "target": str(target),
                "prior": name,
                "sensitivity": float(value),
                "floor": float(noise),
            }
            rows.append(about | {"leans": bool(value > max(LEANS, noise))})
    return _sorted(rows, "sensitivity", fit)


def parameter_sensitivity(fit: Fit) -> pd.DataFrame:
    """The same distance of each parameter that has a prior of its own, under prior^a and under
    likelihood^a (Kallioinen et al. 2024).

    Returns
    -------
    pandas.DataFrame
        One row a number: step, parameter, series, prior, likelihood, and reading: where the prior's
        is above 0.05, either the data's is too (both tell, and may be in conflict), or not (the
        data say little). Of a mixture its heaviest member. ``frame.attrs`` holds the status of the
        fit.

    Raises
    ------
    SettingError
        For a fit saved by a version that did not keep the densities of its priors.
    """
    import arviz_stats as stats

    rows = []
    for step, tree in (("loss", fit.losses), ("accuracy", fit.accuracies)):
        if tree is None:
            continue
        _with_densities(tree)
        cells = list(by_cell(tree["posterior"].to_dataset()[list(tree["log_prior"].data_vars)]))
        posterior = xr.Dataset({_number(i): v for i, (_, v) in enumerate(cells)})
        scaled = xr.DataTree.from_dict(
            {
                "/posterior": posterior,
                "/log_prior": tree["log_prior"].to_dataset(),
                "/log_likelihood": tree["log_likelihood"].to_dataset(),
            }
        )
        prior, likelihood = (stats.psense(scaled, group=group) for group in ("prior", "likelihood"))
        for i, ((name, where), _) in enumerate(cells):
            of_prior, of_data = float(prior[_number(i)]), float(likelihood[_number(i)])
            reading = (
                ""
                if of_prior <= LEANS
                else "prior and data both tell, and may be in conflict"
                if of_data > LEANS
                else "the data say little"
            )
            rows.append(
                {
                    "step": step,
                    "parameter": name,
                    "series": where,
                    "prior": of_prior,
                    "likelihood": of_data,
                    "reading": reading,
                }
            )
    return _sorted(rows, "prior", fit)


def _sorted(rows: list[dict[str, object]], by: str, fit: Fit) -> pd.DataFrame:
    """The largest first, with the status of the fit."""
    frame = pd.DataFrame(rows).sort_values(by, ascending=False, ignore_index=True)
    frame.attrs = {"status": fit.status}
    return frame


def _of_interest(forecast: Forecast) -> xr.DataArray:
    accuracy = forecast.draws["accuracy"]
    losses_alone = bool(accuracy.isnull().all())  # noqa: PD003 (xarray's name)
    return (np.log(forecast.draws["loss"]) if losses_alone else accuracy).mean("task")


def _number(i: int) -> str:
    """The i-th variable of a data set: a tree takes no name with a slash, and a user's name may
    have one.
    """
    return f"number {i}"


def _log_priors(fit: Fit) -> dict[str, xr.DataArray]:
    """Ln p of every prior by law, link and route, those of posteriors that several members share
    once.
    """
    found: list[tuple[str, xr.Dataset]] = []
    several = len(fit.members) > 1
    for m, member in enumerate(fit.members or (fit,)):
        for what, tree in (
            (f"law {member.law.name}", member.losses),
            (f"link via {member.via or 'own loss'}", member.accuracies),
        ):
            if tree is None:
                continue
            densities = _with_densities(tree)["log_prior"].to_dataset()
            if not any(densities.equals(other) for _, other in found):
                taken = several and any(name == what for name, _ in found)
                found.append((f"{what}, member {m + 1}" if taken else what, densities))
    return {f"{what}: {name}": v for what, densities in found for name, v in densities.items()}


def _with_densities(tree: xr.DataTree) -> xr.DataTree:
    if "log_prior" not in tree.children:
        raise SettingError(
            "the fit",
            rule="must hold the densities of its priors",
            got="one without the group log_prior",
            way_out="fit again",
        )
    return tree
