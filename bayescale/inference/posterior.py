"""Draws of one stage -> an ArviZ DataTree with named dimensions.

Natural values and the constants of the law's or link's paper come with the draws. Predictive draws,
densities and draws of the prior are made when someone asks for them.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from numpyro import handlers

from bayescale.inference.nuts import Sample, Sampler
from bayescale.inference.stage import Stage
from bayescale.models.discrepancy import draw_terms, prior_terms
from bayescale.models.pooling import Groups
from bayescale.models.series import SeriesModel
from bayescale.runtime import NUMPYRO, random_key

type Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Posterior:
    """Draws of one stage, and what is made of them on demand.

    Parameters
    ----------
    draws
        DataTree with the groups ``posterior`` and ``sample_stats``: what forecasts and checks need.
    complete
        Function from `draws` to a tree with all groups; None where `draws` has all that there are.
    """

    draws: xr.DataTree
    complete: Callable[[xr.DataTree], xr.DataTree] | None = None

    @cached_property
    def whole(self) -> xr.DataTree:
        """Posterior, prior, predictive draws, densities, statistics and data of the stage.

        Groups ``posterior``, ``prior``, ``posterior_predictive``, ``prior_predictive``,
        ``log_likelihood``, ``log_prior``, ``sample_stats`` and ``observed_data``. Dimensions are
        chain, draw, corpus, loss_name or task, and run. A cell that the ladder lacks is nan. The
        attributes hold the provenance.
        """
        return self.draws if self.complete is None else self.complete(self.draws)


def make_posterior(stage: Stage, sample: Sample) -> Posterior:
    """The posterior of one stage.

    Parameters
    ----------
    stage
        The stage that was sampled.
    sample
        Its draws.
    """
    groups = {"posterior": _parameters(stage, sample.sites), "sample_stats": _statistics(sample)}
    draws = xr.DataTree.from_dict(groups)
    draws.attrs = provenance(sample.sampler) | {
        "target_accept": sample.target_accept,
        "leapfrog_steps": sample.leapfrog_steps,
        "seconds": sample.seconds,
    }
    return Posterior(draws, partial(_whole_tree, stage, sample))


def _whole_tree(stage: Stage, sample: Sample, draws: xr.DataTree) -> xr.DataTree:
    """The tree of `Posterior.whole`."""
    sampler = sample.sampler
    stream = random_key(
        sampler.seed, "loss predictive" if stage.name == "loss" else "accuracy predictive"
    )
    prior_key, posterior_key, prior_predictive_key = jax.random.split(stream, 3)
    # One program serves draws of the posterior and of the prior.
    describe = jax.jit(partial(_describe, stage))
    shape = (sampler.chains, sampler.draws)
    prior_sites = _prior_sites(stage, prior_key, shape)
    found = _host(describe(sample.sites, posterior_key, given_data=True), shape)
    prior = _host(describe(prior_sites, prior_predictive_key, given_data=False), shape)
    observed = np.where(stage.layout.seen, stage.layout.y, np.nan)[None, None]
    by_draw = ("chain", "draw")
    statistics = draws["sample_stats"].to_dataset()
    log_prior = {name: (by_draw, v) for name, v in found.log_prior.items()}
    groups = {
        "posterior": draws["posterior"].to_dataset(),
        "posterior_predictive": _cells(stage, found.y),
        "log_likelihood": _cells(stage, found.log_likelihood),
        "log_prior": xr.Dataset(log_prior, coords=_coordinates(shape)),
        "sample_stats": statistics.assign(log_evidence=(by_draw, found.log_evidence)),
        "prior": _parameters(stage, prior_sites),
        "prior_predictive": _cells(stage, prior.y),
        "observed_data": _cells(stage, observed).isel(chain=0, draw=0, drop=True),
    }
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = draws.attrs
    return tree


def real_draws(
    tree: xr.DataTree, model: SeriesModel, names: Sequence[str], dim: str
) -> tuple[dict[str, jax.Array], tuple[int, int]]:
    """Parameters of every series on the real line, from the posterior's natural values.

    Parameters
    ----------
    tree
        DataTree of the stage.
    model
        Its model.
    names
        Loss names or tasks, in the order of the model's groups.
    dim
        Name of their dimension: ``loss_name`` or ``task``.

    Returns
    -------
    tuple
        Arrays of shape (draws, series) by name; and (chains, draws).
    """
    posterior = tree["posterior"].to_dataset()
    groups = model.pooling.groups
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    real = {}
    for p in model.pooling.parameters:
        values = posterior[p.name].transpose("chain", "draw", "corpus", dim).values
        grid = values.reshape(-1, len(groups.corpora), len(names))
        real[p.name] = p.transform.inv(jnp.asarray(grid[:, list(groups.corpus), list(groups.name)]))
    if "tail" in posterior:
        real["tail"] = jnp.log(posterior["tail"].values.reshape(-1))
    return real, shape


def by_cell(draws: xr.Dataset) -> Iterator[tuple[tuple[str, str], xr.DataArray]]:
    """Draws of every number, (chain, draw), with its name and the levels of its other dimensions.

    Cells that the ladder lacks are left out.
    """
    for name, variable in draws.data_vars.items():
        dims = [dim for dim in variable.dims if dim not in ("chain", "draw")]
        for levels in itertools.product(*(variable[dim].values for dim in dims)):
            values = variable.sel(dict(zip(dims, levels, strict=True)), drop=True)
            if not np.isnan(values).all():
                yield (str(name), ", ".join(map(str, levels))), values


def provenance(sampler: Sampler) -> dict[str, str | int | float]:
    """Versions of the packages that a fit rests on, the device, and the sampler's settings."""
    packages = ("bayescale", "jax", "numpyro", "arviz", "numpy")
    versions = {f"version_{name}": importlib.metadata.version(name) for name in packages}
    settings = {name: getattr(sampler, name) for name in ("seed", "chains", "draws", "warmup")}
    return {
        **versions,
        "version_python": platform.python_version(),
        "device": jax.devices()[0].platform,
        **settings,
    }


def _prior_sites(stage: Stage, key: jax.Array, shape: tuple[int, int]) -> dict[str, jax.Array]:
    """Real-valued draws of every site from the plain model, without the sampler's coordinates."""

    def one(key: jax.Array) -> dict[str, jax.Array]:
        with NUMPYRO:
            trace = handlers.trace(handlers.seed(stage.model.sample, key)).get_trace()
        return {name: site["value"] for name, site in trace.items() if site["type"] == "sample"}

    draws = jax.jit(jax.vmap(one))(jax.random.split(key, shape[0] * shape[1]))
    return {name: v.reshape(*shape, *v.shape[1:]) for name, v in draws.items()}


class _Description[T](NamedTuple):
    """Draws of y, and log densities of y and of every prior.

    `log_likelihood` is of each cell, given all others where the curve has a discrepancy;
    `log_evidence` is of all cells together. Both are 0 of draws from the prior.
    """

    y: T
    log_likelihood: T
    log_evidence: T
    log_prior: dict[str, T]


def _describe(
    stage: Stage, sites: Mapping[str, jax.Array], key: jax.Array, *, given_data: bool | jax.Array
) -> _Description[jax.Array]:
    """What a tree says of draws of the sites; chains and draws lie along one axis.

    The discrepancy of y is drawn given the data, or from its prior.
    """
    flat = {name: v.reshape(-1, *v.shape[2:]) for name, v in sites.items()}
    model, pooling, layout = stage.model, stage.model.pooling, stage.layout

    def one(sites: dict[str, jax.Array], key: jax.Array) -> _Description[jax.Array]:
        real = pooling.by_series(sites)
        tail = sites.get("tail")
        terms_key, noise_key = jax.random.split(key)

        def from_data() -> tuple[jax.Array, jax.Array, jax.Array | None]:
            found = model.given_data(real, layout, tail)
            terms = None if found.terms is None else draw_terms(found.terms, terms_key)
            return found.density_of_each, found.log_evidence, terms

        def from_prior() -> tuple[jax.Array, jax.Array, jax.Array | None]:
            nothing = jnp.zeros(layout.seen.shape), jnp.asarray(0.0)
            if model.amplitude is None or layout.basis is None:
                return *nothing, None
            return *nothing, prior_terms(model.common, layout.basis.shape[-1], terms_key)

        each, evidence, terms = jax.lax.cond(given_data, from_data, from_prior)
        return _Description(
            log_likelihood=each,
            log_evidence=evidence,
            y=model.draw(noise_key, real, layout, tail=tail, terms=terms),
            log_prior=model.log_prior(sites),
        )

    keys = jax.random.split(key, flat[next(iter(flat))].shape[0])
    return jax.lax.map(lambda pair: one(*pair), (flat, keys), batch_size=layout.batch)


def _host(described: _Description[jax.Array], shape: tuple[int, int]) -> _Description[np.ndarray]:
    """The same as NumPy arrays, with axes for chain and draw in front."""
    return jax.tree.map(lambda v: np.asarray(v).reshape(*shape, *v.shape[1:]), described)


def _coordinates(shape: tuple[int, ...]) -> dict[str, object]:
    return {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}


def _parameters(stage: Stage, sites: Mapping[str, jax.Array]) -> xr.Dataset:
    """Natural values and the paper's constants, from sites (chain, draw, ...) on the real line.

    Series are by (corpus, name), populations and spreads by kind, effects by their level.
    """
    values = {name: np.asarray(v) for name, v in jax.jit(partial(_natural, stage))(sites).items()}
    groups = stage.groups
    variables = {name: _named(stage, name, v) for name, v in values.items()}
    coords = {
        "corpus": list(groups.corpora),
        groups.name_of_names: list(groups.names),
        "kind": list(groups.kinds),
    }
    for factor, effects in groups.crossed.items():
        coords[f"{factor}_effect"] = list(effects.labels)
    used = {dim for variable in variables.values() for dim in variable.dims}
    first = next(iter(values.values()))
    chosen = {name: levels for name, levels in coords.items() if name in used}
    return xr.Dataset(variables, coords={**_coordinates(first.shape), **chosen})


def _natural(stage: Stage, sites: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """Values on the natural scale, and the constants of the law's or link's paper."""
    pooling = stage.model.pooling
    values = pooling.natural({**sites, **pooling.by_series(sites)})
    of_series = {p.name: values[p.name] for p in pooling.parameters}
    shape = next(iter(of_series.values())).shape
    # A constant of a user's own law need not depend on the draw, nor on the series.
    constants = stage.constants(of_series)
    values |= {name: jnp.broadcast_to(v, shape) for name, v in constants.items()}
    if "tail" in sites:
        values["tail"] = jnp.exp(sites["tail"])
    return values


def _named(stage: Stage, name: str, v: np.ndarray) -> xr.DataArray:
    """One parameter with named dimensions."""
    groups = stage.groups
    if v.ndim == 2:
        return xr.DataArray(v, dims=("chain", "draw"))
    if name.startswith("effect_"):
        factor = next(k for k in groups.crossed if name.endswith(f"_{k}"))
        return xr.DataArray(v, dims=("chain", "draw", f"{factor}_effect"))
    if name.startswith(("population_", "sd_")):
        if v.shape[2] not in (1, len(groups.kinds)):
            v = _spread_over_kinds(v, groups)
        if v.shape[2] == 1:
            return xr.DataArray(v[:, :, 0], dims=("chain", "draw"))
        return xr.DataArray(v, dims=("chain", "draw", "kind"))
    grid = np.full((*v.shape[:2], len(groups.corpora), len(groups.names)), np.nan)
    grid[:, :, list(groups.corpus), list(groups.name)] = v
    return xr.DataArray(grid, dims=("chain", "draw", "corpus", groups.name_of_names))


def _spread_over_kinds(v: np.ndarray, groups: Groups) -> np.ndarray:
    """Values of the kinds that have several series, nan for the other kinds."""
    several = list(groups.several)
    missing = np.full(v.shape[:2], np.nan)
    columns = [
        v[:, :, several.index(kind)] if kind in several else missing
        for kind in range(len(groups.kinds))
    ]
    return np.stack(columns, -1)


def _cells(stage: Stage, y: np.ndarray) -> xr.Dataset:
    """A rectangle (chain, draw, series, cell) as (chain, draw, name, run).

    A run is of one corpus, which becomes a coordinate of it. The blocks of a run are called
    ``run#0``, ``run#1``, ...
    """
    groups = stage.groups
    seen = np.asarray(stage.layout.seen)
    names = [_labels(row[cells]) for row, cells in zip(stage.runs, seen, strict=True)]
    runs = list(dict.fromkeys(itertools.chain(*names)))
    series, cell = np.nonzero(seen)
    column = [runs.index(run) for run in itertools.chain(*names)]
    grid = np.full((*y.shape[:2], len(groups.names), len(runs)), np.nan)
    grid[:, :, np.array(groups.name)[series], column] = y[:, :, series, cell]
    corpora = np.array(groups.corpora)[np.array(groups.corpus)[series]]
    corpus_of = dict(zip(column, corpora, strict=True))
    coords = {
        **_coordinates(y.shape),
        groups.name_of_names: list(groups.names),
        "run": runs,
        "corpus": ("run", [str(corpus_of[i]) for i in range(len(runs))]),
    }
    dims = ("chain", "draw", groups.name_of_names, "run")
    return xr.Dataset({stage.observed: (dims, grid)}, coords=coords)


def _labels(runs: np.ndarray) -> list[str]:
    """The names; a name that comes more than once is numbered."""
    numbers = pd.Series(runs).groupby(runs).cumcount()
    several = set(runs[numbers > 0])
    return [
        f"{run}#{number}" if run in several else str(run)
        for run, number in zip(runs, numbers, strict=True)
    ]


def _statistics(sample: Sample) -> xr.Dataset:
    statistics = {name: (("chain", "draw"), v) for name, v in sample.statistics.items()}
    depth = np.ceil(np.log2(sample.statistics["n_steps"] + 1)).astype(int)
    return xr.Dataset(
        {**statistics, "tree_depth": (("chain", "draw"), depth)}, coords=_coordinates(depth.shape)
    )
