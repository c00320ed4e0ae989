"""NUTS on the whitened coordinates of a model: settings, chains over devices, draws on the host."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpyro.infer.hmc import HMCState, hmc
from numpyro.infer.hmc_util import HMCAdaptState
from numpyro.infer.util import ParamInfo, log_density

from bayescale.errors import SettingError
from bayescale.inference.coordinates import coordinates
from bayescale.inference.modes import quadratic
from bayescale.inference.quadratic import Quadratic
from bayescale.models.layout import Layout
from bayescale.models.series import SeriesModel
from bayescale.models.traces import keep_records, kept
from bayescale.runtime import (
    NUMPYRO,
    Stream,
    check_seed,
    fixed_key,
    random_key,
    require_64bit,
)
from bayescale.validation import require_whole

# Iterations between two reports of progress; an interrupt takes effect at a report.
BLOCK = 100
TREE_DEPTH = 10
# Mean acceptance that the step size is adapted to, and the one for a second attempt where draws
# diverge, as they do in about one fit in forty.
TARGET_ACCEPT = (0.9, 0.99)
# A model of more coordinates than `LARGE` starts at this one: its steps are small anyway, and at
# 0.9 there would be nearly twice as many. A smaller model diverges here too often.
TARGET_ACCEPT_OF_LARGE = 0.8
LARGE = 250
# Step size from which the adaptation starts.
FIRST_STEP_SIZE = 0.5
# Potential energy given to the initial point. It is so high that the first iteration of warm-up
# moves to a point whose energy is known. Not computing the true one halves the time of the set-up.
STAND_IN_ENERGY = 1e6
STATISTICS = ("energy", "n_steps", "diverging", "acceptance_rate", "step_size", "lp")
# Sd of the initial points in whitened coordinates, where the posterior has sd 1: chains start
# apart, yet not in a tail.
JITTER = 0.5

keep_records(HMCState)
keep_records(HMCAdaptState)

type Arrays = dict[str, np.ndarray]
type Iteration = tuple[dict[str, jax.Array], dict[str, jax.Array]]


@dataclass(frozen=True)
class Sampler:
    """Settings of NUTS: `draws` are kept of each of `chains` chains after `warmup` iterations.

    Parameters
    ----------
    chains
        Number of chains, 1 or more. R-hat needs two.
    draws
        Iterations that each chain keeps, 1 or more.
    warmup
        Iterations that adapt the step size and a diagonal mass matrix and are then dropped, 50 or
        more for each chain.
    seed
        Whole number, 0 or more. The same seed gives the same draws on the same machine.

    Raises
    ------
    SettingError
        For a count that is no whole number or is too small, and for a seed outside 0 to 2^63 - 1.
    """

    chains: int = 4
    draws: int = 1000
    warmup: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("chains", 1), ("draws", 1), ("warmup", 50)):
            way_out = "such as chains=4, draws=1000"
            value = require_whole(name, getattr(self, name), least, way_out=way_out)
            object.__setattr__(self, name, value)
        check_seed(self.seed)
        object.__setattr__(self, "seed", int(self.seed))


@dataclass(frozen=True)
class Sample:
    """Draws of every site of a model, with the sampler's statistics.

    Parameters
    ----------
    sites
        Draws of each site on the real line, by its name: shape (chain, draw, ...).
    statistics
        ``energy``, ``n_steps``, ``diverging``, ``acceptance_rate``, ``step_size`` and ``lp`` of
        each draw: shape (chain, draw).
    seconds
        Seconds that sampling took, compilation included.
    sampler
        Settings that the draws were made with.
    target_accept
        Mean acceptance that the step size was adapted to.
    """

    sites: dict[str, np.ndarray]
    statistics: dict[str, np.ndarray]
    seconds: float
    sampler: Sampler
    target_accept: float

    @property
    def leapfrog_steps(self) -> float:
        """Mean number of leapfrog steps per draw, after warm-up."""
        return float(self.statistics["n_steps"].mean())


def require_draws(sampler: Sampler, least: int, what: str) -> None:
    """Check that a fit has enough draws for importance sampling.

    Parameters
    ----------
    sampler
        Chains and draws of the fit.
    least
        The least number of draws of all chains together.
    what
        What takes them, for the message.

    Raises
    ------
    SettingError
        For fewer draws.
    """
    draws = sampler.chains * sampler.draws
    if draws < least:
        raise SettingError(
            what,
            rule=f"takes a fit of {least} draws or more",
            got=f"{sampler.chains} chains of {sampler.draws}",
            way_out="fit with more draws",
        )


def log_posterior(model: SeriesModel) -> Callable[[jax.Array, Layout, Quadratic], jax.Array]:
    """ln p(y, theta(z)) + ln|dtheta/dz|: the log density that NUTS sees.

    Parameters
    ----------
    model
        The model whose posterior is sampled.

    Returns
    -------
    function
        ``(z, Layout, Quadratic) -> log density``, with z the flat vector of `Coordinates`.
    """
    to_sites = coordinates(model).to_sites

    def density(z: jax.Array, layout: Layout, q: Quadratic) -> jax.Array:
        sites, log_det = to_sites(z, q)
        # Every site is on the real line, so no value can lie outside its support: looking for such
        # values would cost a sixth of each gradient.
        with NUMPYRO, numpyro.validation_enabled(False):
            return log_density(model, (layout,), {}, sites)[0] + log_det

    return density


class Program:
    """NUTS for one model, compiled once for each shape of data.

    Call it with a layout and the sampler's settings: ``program(layout, sampler) -> Sample``.

    Parameters
    ----------
    model
        The model whose posterior is sampled. Its series are fixed; the runs may differ from call to
        call.
    """

    def __init__(self, model: SeriesModel) -> None:
        self._space = coordinates(model)
        self._quadratic = quadratic(model)
        self._density = log_posterior(model)
        self._model = model
        self._kernel = cache(self._make_kernel)

    def __call__(
        self,
        layout: Layout,
        sampler: Sampler,
        progress: Callable[[float], None] | None = None,
        stream: Stream = "loss",
    ) -> Sample:
        """Draws of the posterior given the data.

        Where draws diverge, the posterior is sampled again with smaller steps.

        Parameters
        ----------
        layout
            The data: arrays of shape (series, runs).
        sampler
            Chains, draws, warm-up and seed.
        progress
            Called with 0 before anything is compiled, and after each block of iterations with the
            share that is done, up to 1.
        stream
            The use of the seed; each use has random numbers of its own.

        Returns
        -------
        Sample
            Draws of shape (chain, draw, ...) on the host.

        Raises
        ------
        SettingError
            Where JAX computes in 32-bit.
        """
        require_64bit()
        began = time.perf_counter()
        layout = jax.tree.map(jnp.asarray, layout)
        q = self._quadratic(layout)
        key = random_key(sampler.seed, stream)
        large = (TARGET_ACCEPT_OF_LARGE,) if self._space.size > LARGE else ()
        for accept in (*large, *TARGET_ACCEPT):
            sites, statistics = self._sample(
                key, layout, q, sampler=sampler, accept=accept, progress=progress
            )
            if not statistics["diverging"].any():
                break
        return Sample(sites, statistics, time.perf_counter() - began, sampler, accept)

    def _sample(
        self,
        key: jax.Array,
        layout: Layout,
        q: Quadratic,
        *,
        sampler: Sampler,
        accept: float,
        progress: Callable[[float], None] | None,
    ) -> tuple[Arrays, Arrays]:
        """Sites and statistics of the kept draws, shape (chain, draw, ...)."""
        if progress is not None:
            progress(0.0)
        mesh = chain_mesh(sampler.chains)
        by_chain = NamedSharding(mesh, PartitionSpec("chain"))
        keys = jax.device_put(jax.random.split(key, sampler.chains), by_chain)
        layout, q = jax.device_put((layout, q), NamedSharding(mesh, PartitionSpec()))
        begin, advance = self._kernel(sampler.warmup, accept, mesh)
        state = begin(keys, layout, q)
        blocks = []
        total = sampler.warmup + sampler.draws
        for done in range(0, total, BLOCK):
            state, block = advance(state, layout, q)
            if done + BLOCK > sampler.warmup:
                blocks.append(jax.tree.map(np.asarray, block))
            else:
                jax.block_until_ready(state)
            if progress is not None:
                progress(min(1.0, (done + BLOCK) / total))
        # The first block that is kept may begin before the end of the warm-up.
        skip = sampler.warmup % BLOCK
        drawn = slice(skip, skip + sampler.draws)
        return jax.tree.map(lambda *parts: np.concatenate(parts, 1)[:, drawn], *blocks)

    def _make_kernel(
        self, warmup: int, accept: float, mesh: Mesh
    ) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """Functions of the chains: their first state, and BLOCK iterations from a state.

        A kernel of NumPyro holds the schedule of its warm-up, so each schedule has its own kernel.
        """
        start, following = hmc(
            potential_fn_gen=lambda layout, q: lambda z: -self._density(z, layout, q), algo="NUTS"
        )

        def begin(key: jax.Array, layout: Layout, q: Quadratic) -> Any:
            place_key, chain_key = jax.random.split(key)
            noise = jax.random.normal(place_key, (self._space.size,))
            z = jnp.asarray(self._space.start) + JITTER * noise
            first = ParamInfo(z, jnp.asarray(STAND_IN_ENERGY), jnp.zeros_like(z))
            return start(
                first,
                warmup,
                step_size=FIRST_STEP_SIZE,
                target_accept_prob=accept,
                max_tree_depth=TREE_DEPTH,
                model_args=(layout, q),
                rng_key=chain_key,
            )

        def advance(state: Any, layout: Layout, q: Quadratic) -> tuple[Any, Iteration]:
            # The kernel takes its settings when it starts. The first state may come from a program
            # that another process or another fit has traced.
            jax.eval_shape(begin, fixed_key(), layout, q)

            def one(state: Any, _: None) -> tuple[Any, Iteration]:
                state = following(state, (layout, q))
                figures = (
                    state.energy,
                    state.num_steps,
                    state.diverging,
                    state.accept_prob,
                    state.adapt_state.step_size,
                    -state.potential_energy,
                )
                sites, _ = self._space.to_sites(state.z, q)
                return state, (sites, dict(zip(STATISTICS, figures, strict=True)))

            return jax.lax.scan(one, state, None, length=BLOCK)

        about = self._model, warmup, accept, mesh.size
        return (
            kept(_over_chains(begin, mesh), "begin", *about),
            kept(_over_chains(advance, mesh), "advance", *about),
        )


def chain_mesh(chains: int) -> Mesh:
    """The devices that the chains run on: the largest number that divides the chains evenly."""
    devices = jax.devices()
    count = max(n for n in range(1, chains + 1) if chains % n == 0 and n <= len(devices))
    return Mesh(np.array(devices[:count]), ("chain",))


def _over_chains(function: Callable[..., Any], mesh: Mesh) -> Callable[..., Any]:
    """The function mapped over the leading chain axis of its first argument: devices in parallel,
    chains of one device vectorised.
    """

    def local(first: Any, *rest: Any) -> Any:
        # No vmap for a single chain: it would turn every branch into a select.
        if jax.tree.leaves(first)[0].shape[0] == 1:
            out = function(jax.tree.map(lambda a: a[0], first), *rest)
            return jax.tree.map(lambda a: jnp.asarray(a)[None], out)
        return jax.vmap(lambda one: function(one, *rest))(first)

    chain, whole = PartitionSpec("chain"), PartitionSpec()
    return jax.shard_map(
        local, mesh=mesh, in_specs=(chain, whole, whole), out_specs=chain, check_vma=False
    )
