"""setup(), the sampler's settings, and NUTS on the whitened coordinates of a model: chains over
devices, draws on the host.
"""

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
from numpyro.infer.hmc import hmc
from numpyro.infer.util import ParamInfo, log_density

from bayescale.errors import SettingError
from bayescale.inference.coordinates import coordinates
from bayescale.inference.modes import Quadratic, quadratic
from bayescale.models.layout import Layout
from bayescale.models.series import SeriesModel
from bayescale.runtime import NUMPYRO, Stream, check_seed, random_key, require_64bit

BLOCK = 100  # iterations between two looks at the keyboard and the progress bar
TREE_DEPTH = 10
# mean acceptance that the step size is adapted to (at 0.9, one fit in forty has a divergence), and
# where draws still diverge
TARGET_ACCEPT = (0.95, 0.99)
# so high that the first iteration of warm-up moves to a point whose energy is known; sparing its
# computation halves the set-up
STAND_IN_ENERGY = 1e6
STATISTICS = ("energy", "n_steps", "diverging", "acceptance_rate", "step_size", "lp")
# sd of the initial points in whitened coordinates, where the posterior has sd 1: chains start
# apart, yet not in a tail
JITTER = 0.5


@dataclass(frozen=True)
class Sampler:
    """Settings of NUTS: `draws` kept of each of `chains` chains after `warmup`, all from `seed`.

    Parameters
    ----------
    chains, draws, warmup
        Counts; `warmup` iterations adapt the step size and a diagonal mass matrix and are dropped.
    seed
        The same seed gives the same draws on the same machine.
    """

    chains: int = 4
    draws: int = 1000
    warmup: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("chains", 1), ("draws", 1), ("warmup", 50)):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                raise SettingError(
                    name,
                    rule=f"must be a whole number, {least} or more",
                    got=repr(value),
                    way_out="such as chains=4, draws=1000",
                )
        check_seed(self.seed)
        for name in ("chains", "draws", "warmup", "seed"):
            object.__setattr__(self, name, int(getattr(self, name)))


@dataclass(frozen=True)
class Sample:
    """Draws of every real-valued site, (chain, draw, ...), with the sampler's statistics, (chain,
    draw), seconds spent, and the acceptance aimed at.
    """

    sites: dict[str, np.ndarray]
    statistics: dict[str, np.ndarray]
    seconds: float
    sampler: Sampler
    target_accept: float

    @property
    def leapfrog_steps(self) -> float:
        """Mean leapfrog steps a draw, after warm-up."""
        return float(self.statistics["n_steps"].mean())


def log_posterior(model: SeriesModel) -> Callable[[jax.Array, Layout, Quadratic], jax.Array]:
    """Ln p(y, theta(z)) + ln|dtheta/dz|, the log density that NUTS sees, as a function of the flat
    vector z.
    """
    to_sites = coordinates(model).to_sites

    def density(z: jax.Array, layout: Layout, q: Quadratic) -> jax.Array:
        sites, log_det = to_sites(z, q)
        # every site is on the real line: looking for values outside would cost a sixth of each
        # gradient
        with NUMPYRO, numpyro.validation_enabled(False):
            return log_density(model, (layout,), {}, sites)[0] + log_det

    return density


class Program:
    """NUTS for one model, compiled once for each shape of data; call it with a layout and the
    sampler's settings.
    """

    def __init__(self, model: SeriesModel) -> None:
        self._space = coordinates(model)
        self._quadratic = quadratic(model)
        self._density = log_posterior(model)
        self._kernel = cache(self._make_kernel)
        self._over_chains = cache(_over_chains)

    def __call__(
        self,
        layout: Layout,
        sampler: Sampler,
        progress: Callable[[float], None] | None = None,
        stream: Stream = "loss",
        *,
        divergent: float = 0.0,
    ) -> Sample:
        """Sample the posterior given `layout`, and once more with smaller steps where more than a
        share `divergent` of the draws diverged.

        `progress` is told the share done after each block; `stream` says which step's random
        numbers.
        """
        require_64bit()
        began = time.perf_counter()
        layout = jax.tree.map(jnp.asarray, layout)
        q = self._quadratic(layout)
        key = random_key(sampler.seed, stream)
        for accept in TARGET_ACCEPT:
            sites, statistics = self._sample(key, layout, q, sampler, accept, progress)
            if statistics["diverging"].mean() <= divergent:
                break
        return Sample(sites, statistics, time.perf_counter() - began, sampler, accept)

    def _sample(
        self,
        key: jax.Array,
        layout: Layout,
        q: Quadratic,
        sampler: Sampler,
        accept: float,
        progress: Callable[[float], None] | None,
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        mesh = chain_mesh(sampler.chains)
        keys = jax.device_put(
            jax.random.split(key, sampler.chains), NamedSharding(mesh, PartitionSpec("chain"))
        )
        begin, advance = (
            self._over_chains(function, mesh) for function in self._kernel(sampler.warmup, accept)
        )
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
        skip = sampler.warmup - BLOCK * (sampler.warmup // BLOCK)
        return jax.tree.map(
            lambda *b: np.concatenate(b, 1)[:, skip : skip + sampler.draws], *blocks
        )

    def _make_kernel(
        self, warmup: int, accept: float
    ) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """The first state of a chain, and BLOCK iterations. A kernel of NumPyro's holds the
        schedule of its warm-up, so each has its own.
        """
        start, following = hmc(
            potential_fn_gen=lambda layout, q: lambda z: -self._density(z, layout, q), algo="NUTS"
        )

        def begin(key: jax.Array, layout: Layout, q: Quadratic) -> Any:
            one, two = jax.random.split(key)
            z = jnp.asarray(self._space.start) + JITTER * jax.random.normal(
                one, (self._space.size,)
            )
            first = ParamInfo(z, jnp.asarray(STAND_IN_ENERGY), jnp.zeros_like(z))
            return start(
                first,
                warmup,
                step_size=0.5,
                target_accept_prob=accept,
                max_tree_depth=TREE_DEPTH,
                model_args=(layout, q),
                rng_key=two,
            )

        def advance(
            state: Any, layout: Layout, q: Quadratic
        ) -> tuple[Any, tuple[dict[str, jax.Array], dict[str, jax.Array]]]:
            def one(
                state: Any, _: None
            ) -> tuple[Any, tuple[dict[str, jax.Array], dict[str, jax.Array]]]:
                state = following(state, (layout, q))
                figures = (
                    state.energy,
                    state.num_steps,
                    state.diverging,
                    state.accept_prob,
                    state.adapt_state.step_size,
                    -state.potential_energy,
                )
                return state, (
                    self._space.to_sites(state.z, q)[0],
                    dict(zip(STATISTICS, figures, strict=True)),
                )

            return jax.lax.scan(one, state, None, length=BLOCK)

        return begin, advance


def chain_mesh(chains: int) -> Mesh:
    """The devices that the chains run on: as many as divide the chains evenly."""
    devices = jax.devices()
    count = max(n for n in range(1, chains + 1) if chains % n == 0 and n <= len(devices))
    return Mesh(np.array(devices[:count]), ("chain",))


def _over_chains(function: Callable[..., Any], mesh: Mesh) -> Callable[..., Any]:
    """The function mapped over the leading chain axis of its first argument: devices in parallel,
    chains of one device vectorised.
    """

    def local(first: Any, *rest: Any) -> Any:
        # no vmap for a single chain: it would turn every branch into a select
        if jax.tree.leaves(first)[0].shape[0] == 1:
            out = function(jax.tree.map(lambda a: a[0], first), *rest)
            return jax.tree.map(lambda a: jnp.asarray(a)[None], out)
        return jax.vmap(lambda one: function(one, *rest))(first)

    chain, whole = PartitionSpec("chain"), PartitionSpec()
    return jax.jit(
        jax.shard_map(
            local, mesh=mesh, in_specs=(chain, whole, whole), out_specs=chain, check_vma=False
        )
    )
