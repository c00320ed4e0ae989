"""The sampler's coordinates change no density."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from bayescale.inference.coordinates import coordinates
from bayescale.inference.modes import prior_moments, quadratic
from bayescale.inference.quadratic import Linear, Quadratic, removed_by
from bayescale.inference.ridges import noise_parameters, parameter_order, tangent
from bayescale.models.layout import Layout
from bayescale.models.series import SeriesModel
from helpers.layouts import LOSS_CASES, latent, make_case


def made_up(model: SeriesModel, layout: Layout, seed: int) -> Quadratic:
    """Any symmetric F, any h: the change of variables must be right whatever the data say, a
    singular F included.
    """
    rng = np.random.default_rng(seed)
    curve, n = parameter_order(model), layout.y.shape[0]
    k = len(curve)
    moments = prior_moments(model)
    loc, sd = (np.stack([moments[p.name][i] for p in curve], -1) for i in (0, 1))
    J = rng.standard_normal((n, k - 1, k)) * 10 ** rng.uniform(-2, -0.5, (n, 1, 1))
    at = loc + 0.3 * sd * rng.standard_normal((n, k))
    centre = jax.tree.map(lambda x: x.mean(1), layout.x)
    linear = Linear(np.zeros((n, k - 1)), J, rng.standard_normal((n, k - 1, 3)), at)
    F = J.transpose(0, 2, 1) @ J
    of_noise = len(noise_parameters(model))
    noise_root = rng.standard_normal((n, of_noise, of_noise))
    noise_F = noise_root @ noise_root.transpose(0, 2, 1)
    log_scale = rng.normal(-4.5, 0.3, n)
    noise_h = np.einsum(
        "sij,sj->si",
        noise_F,
        np.concatenate([rng.normal(-1, 0.5, (n, of_noise - 1)), log_scale[:, None]], 1),
    )
    made = Quadratic(
        F=F,
        h=np.einsum("sij,sj->si", F, at),
        removed=removed_by(linear, at) if model.amplitude else None,
        log_scale=log_scale,
        log_amplitude=log_scale + 0.3,
        noise_information=noise_F,
        noise_h=noise_h,
        weight=rng.uniform(0.1, 2, (n, k)),
        repeats=rng.uniform(0, 1, n),
        ridge=tangent(model, curve)(at, centre),
    )
    return jax.tree.map(jnp.asarray, made)


# which change no coordinate's name or number
COORDINATES = [name for name in LOSS_CASES if name not in ("one-sided", "prior of one's own")]


# one of each kind of pooling and of noise; each case is a compilation
FEW = (
    "one series",
    "reruns of two kinds",
    "discrepancy in common",
    "link logistic, discrepancy",
)
MANY = [
    pytest.param(name, marks=[] if name in FEW else pytest.mark.slow)
    for name in [*COORDINATES, "link logistic", "link logistic, discrepancy"]
]


@pytest.mark.parametrize("case", MANY)
def test_coordinates_are_a_change_of_variables(case: str) -> None:
    model, layout = make_case(case)
    assert_change_of_variables(model, layout, [made_up(model, layout, seed) for seed in range(3)])


def test_coordinates_are_a_change_of_variables_at_the_datas_own_quadratic() -> None:
    model, layout = make_case("Student-t")
    assert_change_of_variables(model, layout, [quadratic(model)(layout)])


def assert_change_of_variables(
    model: SeriesModel, layout: Layout, quadratics: list[Quadratic]
) -> None:
    space, sites = coordinates(model), latent(model, layout, 0)

    def flat(z: jax.Array, q: Quadratic) -> tuple[jax.Array, Any]:
        mapped, log_det = space.to_sites(z, q)
        return ravel_pytree(dict(sorted(mapped.items())))[0], (mapped, log_det)

    # each case is compiled for three calls: the compiler need not try hard
    quickly = {"xla_backend_optimization_level": 0}
    look = jax.jit(jax.jacfwd(flat, has_aux=True), compiler_options=quickly)
    assert space.start.shape == (space.size,)
    for seed, q in enumerate(quadratics):
        z = jnp.asarray(space.start) + jax.random.normal(jax.random.key(seed), (space.size,))
        jacobian, (mapped, log_det) = look(z, q)
        sign, by_autodiff = np.linalg.slogdet(jacobian)
        assert {name: v.shape for name, v in mapped.items()} == {
            name: site["value"].shape for name, site in sites.items()
        }
        assert sum(v.size for v in mapped.values()) == space.size
        assert abs(float(sign)) == 1.0
        assert float(log_det) == pytest.approx(float(by_autodiff), abs=1e-8)
