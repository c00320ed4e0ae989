"""One law on the losses, one link on the accuracies -> their posteriors, each an ArviZ DataTree
with named dimensions.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from numpyro import handlers

from bayescale.inference.nuts import Sample, Sampler
from bayescale.models.inputs import AccuracyData, LossData
from bayescale.models.laws import Law
from bayescale.models.layout import Layout
from bayescale.models.links import Link
from bayescale.models.pooling import Groups
from bayescale.models.series import SeriesModel
from bayescale.runtime import NUMPYRO, random_key

type Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Stage:
    """One stage of a fit as a record asks for it: its model, its data, and what turns parameters
    into the paper's constants.

    Parameters
    ----------
    name
        ``loss`` or ``accuracy``.
    model, layout, factors, runs
        As in `LossData` and `AccuracyData`.
    observed
        Name of y in the record: ``log_loss`` or ``accuracy``.
    constants
        ``values (draws, series) -> {name: (draws, series)}``.
    """

    name: Literal["loss", "accuracy"]
    model: SeriesModel
    layout: Layout
    groups: Groups
    runs: np.ndarray
    observed: str
    constants: Callable[[Mapping[str, jax.Array]], dict[str, jax.Array]]


def loss_stage(law: Law, data: LossData, model: SeriesModel) -> Stage:
    """The stage of the losses."""
    return Stage(
        "loss",
        model,
        data.layout,
        data.groups,
        data.runs,
        "log_loss",
        lambda v: law.constants(v, data.reference),
    )


def accuracy_stage(link: Link, data: AccuracyData, model: SeriesModel) -> Stage:
    """The stage of the accuracies."""
    return Stage(
        "accuracy",
        model,
        data.layout,
        data.groups,
        data.runs,
        "accuracy",
        lambda v: link.constants(v, data.centre, data.scale),
    )


def full_tree(stage: Stage, sample: Sample) -> xr.DataTree:
    """Posterior, prior, predictive draws, log likelihood, sampler statistics and data of one stage,
    with provenance in the attributes.

    Groups: ``posterior``, ``prior``, ``posterior_predictive``, ``prior_predictive``,
    ``log_likelihood``, ``log_prior``, ``sample_stats``, ``observed_data``. Dimensions: chain, draw,
    corpus, loss_name or task, run. A cell that the ladder lacks is nan.
    """
    sampler = sample.sampler
    key, one, two = jax.random.split(
        random_key(
            sampler.seed, "loss predictive" if stage.name == "loss" else "accuracy predictive"
        ),
        3,
    )
    shape = (sampler.chains, sampler.draws)
    prior_sites = _prior_sites(stage, key, shape)
    describe = jax.jit(lambda sites, key: _describe(stage, sites, key))
    posterior = _host(describe(sample.sites, one), shape)
    prior = _host(describe(prior_sites, two), shape)
    groups = {
        "posterior": _parameters(stage, posterior[0]),
        "posterior_predictive": _cells(stage, posterior[1]),
        "log_likelihood": _cells(stage, posterior[2]),
        "log_prior": xr.Dataset(
            {name: (("chain", "draw"), v) for name, v in posterior[3].items()},
            coords=_coordinates(shape),
        ),
        "sample_stats": _statistics(sample),
        "prior": _parameters(stage, prior[0]),
        "prior_predictive": _cells(stage, prior[1]),
        "observed_data": _cells(
            stage, np.where(stage.layout.seen, stage.layout.y, np.nan)[None, None]
        ).isel(chain=0, draw=0, drop=True),
    }
    return _tree(groups, sample)


def short_tree(stage: Stage, sample: Sample) -> xr.DataTree:
    """The same without constants and predictive draws: what a forecast and the checks of the
    sampler need, for fits made by the dozen.
    """
    sites = {
        name: np.asarray(v)
        for name, v in stage.model.pooling.natural(
            {**sample.sites, **stage.model.pooling.by_series(sample.sites)}
        ).items()
    }
    sites |= {"tail": np.exp(sample.sites["tail"])} if "tail" in sample.sites else {}
    return _tree(
        {"posterior": _parameters(stage, sites), "sample_stats": _statistics(sample)}, sample
    )


def real_draws(
    tree: xr.DataTree, model: SeriesModel, names: Sequence[str], dim: str
) -> tuple[dict[str, jax.Array], tuple[int, int]]:
    """Parameters of every series on the real line, (draws, series), from the posterior's natural
    values; and (chains, draws).
    """
    posterior = tree["posterior"].to_dataset()
    f = model.pooling.groups
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    real = {}
    for p in model.pooling.parameters:
        grid = (
            posterior[p.name]
            .transpose("chain", "draw", "corpus", dim)
            .values.reshape(-1, len(f.corpora), len(names))
        )
        real[p.name] = p.transform.inv(jnp.asarray(grid[:, list(f.corpus), list(f.name)]))
    if "tail" in posterior:
        real["tail"] = jnp.log(posterior["tail"].values.reshape(-1))
    return real, shape


def by_cell(draws: xr.Dataset) -> Iterator[tuple[tuple[str, str], xr.DataArray]]:
    """(name, levels of its other dimensions) and the draws, (chain, draw), of every number; cells
    that the ladder lacks left out.
    """
    for name, v in draws.data_vars.items():
        dims = [d for d in v.dims if d not in ("chain", "draw")]
        for where in itertools.product(*(v[d].values for d in dims)):
            values = v.sel(dict(zip(dims, where, strict=True)), drop=True)
            if not np.isnan(values).all():
                yield (str(name), ", ".join(map(str, where))), values


def _tree(groups: Mapping[str, xr.Dataset], sample: Sample) -> xr.DataTree:
    tree = xr.DataTree.from_dict({f"/{name}": group for name, group in groups.items()})
    tree.attrs = provenance(sample.sampler) | {
        "target_accept": sample.target_accept,
        "leapfrog_steps": sample.leapfrog_steps,
        "seconds": sample.seconds,
    }
    return tree


def provenance(sampler: Sampler) -> dict[str, str | int | float]:
    """Versions and settings."""
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
    """Real-valued draws of every site from the plain model, which knows nothing of the sampler's
    coordinates.
    """

    def one(key: jax.Array) -> dict[str, jax.Array]:
        with NUMPYRO:
            trace = handlers.trace(handlers.seed(stage.model, key)).get_trace(stage.layout)
        return {
            name: site["value"]
            for name, site in trace.items()
            if site["type"] == "sample" and not site["is_observed"]
        }

    draws = jax.jit(jax.vmap(one))(jax.random.split(key, shape[0] * shape[1]))
    return {name: v.reshape(*shape, *v.shape[1:]) for name, v in draws.items()}


type Description = tuple[dict[str, jax.Array], jax.Array, jax.Array, dict[str, jax.Array]]


def _describe(stage: Stage, sites: Mapping[str, jax.Array], key: jax.Array) -> Description:
    """Natural values with the constants, draws of y, its log likelihood, and the log density of
    every prior, over flattened draws.
    """
    flat = {name: v.reshape(-1, *v.shape[2:]) for name, v in sites.items()}

    def one(sites: dict[str, jax.Array], key: jax.Array) -> Description:
        real = stage.model.pooling.by_series(sites)
        tail = sites.get("tail")
        values = stage.model.pooling.natural({**sites, **real})
        own = {p.name: values[p.name] for p in stage.model.pooling.parameters}
        values |= stage.constants(own) | (
            {"tail": jax.numpy.exp(sites["tail"])} if "tail" in sites else {}
        )
        log_likelihood = stage.model.given_earlier(real, stage.layout, tail).log_prob(
            stage.layout.y
        )
        return (
            values,
            stage.model.draw(key, real, stage.layout, tail),
            log_likelihood,
            stage.model.log_prior(sites),
        )

    return jax.vmap(one)(flat, jax.random.split(key, flat[next(iter(flat))].shape[0]))


def _host(
    found: Description, shape: tuple[int, int]
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    values, y, log_likelihood, log_prior = jax.tree.map(
        lambda v: np.asarray(v).reshape(*shape, *v.shape[1:]), found
    )
    return values, y, log_likelihood, log_prior


def _coordinates(shape: tuple[int, ...]) -> dict[str, object]:
    return {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}


def _parameters(stage: Stage, values: Arrays) -> xr.Dataset:
    """Series by (corpus, name), populations and spreads by kind where there are several, effects by
    their level.
    """
    f = stage.groups
    found = {name: _named(stage, name, v) for name, v in values.items()}
    coords = {"corpus": list(f.corpora), f.name_of_names: list(f.names), "kind": list(f.kinds)}
    coords |= {f"{factor}_effect": list(effects.labels) for factor, effects in f.crossed.items()}
    used = {d for v in found.values() for d in v.dims}
    first = next(iter(values.values()))
    return xr.Dataset(
        found,
        coords={**_coordinates(first.shape), **{k: v for k, v in coords.items() if k in used}},
    )


def _named(stage: Stage, name: str, v: np.ndarray) -> xr.DataArray:
    f = stage.groups
    if v.ndim == 2:
        return xr.DataArray(v, dims=("chain", "draw"))
    if name.startswith("effect_"):
        factor = next(k for k in f.crossed if name.endswith(f"_{k}"))
        return xr.DataArray(v, dims=("chain", "draw", f"{factor}_effect"))
    if name.startswith(("population_", "sd_")):
        if v.shape[2] not in (1, len(f.kinds)):
            v = np.stack(
                [
                    v[:, :, list(f.several).index(g)]
                    if g in f.several
                    else np.full(v.shape[:2], np.nan)
                    for g in range(len(f.kinds))
                ],
                -1,
            )
        if v.shape[2] == 1:
            return xr.DataArray(v[:, :, 0], dims=("chain", "draw"))
        return xr.DataArray(v, dims=("chain", "draw", "kind"))
    grid = np.full((*v.shape[:2], len(f.corpora), len(f.names)), np.nan)
    grid[:, :, list(f.corpus), list(f.name)] = v
    return xr.DataArray(grid, dims=("chain", "draw", "corpus", f.name_of_names))


def _cells(stage: Stage, y: np.ndarray) -> xr.Dataset:
    """A rectangle (chain, draw, series, cell) as (chain, draw, name, run): a run is of one corpus,
    which becomes a coordinate of it.

    A run's blocks are called ``run#0``, ``run#1``, ...
    """
    f = stage.groups
    seen = np.asarray(stage.layout.seen)
    names = [_labels(row[there]) for row, there in zip(stage.runs, seen, strict=True)]
    runs = list(dict.fromkeys(itertools.chain(*names)))
    series, cell = np.nonzero(seen)
    column = [runs.index(r) for r in itertools.chain(*names)]
    grid = np.full((*y.shape[:2], len(f.names), len(runs)), np.nan)
    grid[:, :, np.array(f.name)[series], column] = y[:, :, series, cell]
    corpus = dict(zip(column, np.array(f.corpora)[np.array(f.corpus)[series]], strict=True))
    coords = {
        **_coordinates(y.shape),
        f.name_of_names: list(f.names),
        "run": runs,
        "corpus": ("run", [str(corpus[i]) for i in range(len(runs))]),
    }
    return xr.Dataset(
        {stage.observed: (("chain", "draw", f.name_of_names, "run"), grid)}, coords=coords
    )


def _labels(runs: np.ndarray) -> list[str]:
    """The names, numbered where one comes more than once."""
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
