"""Ridges made straight, and the order of the parameters in the sampler's coordinates."""

import jax
import numpy as np
import pytest

from bayescale.inference.modes import prior_moments
from bayescale.inference.ridges import curvature, noise_parameters, parameter_order, tangent
from bayescale.models.laws import LAWS, Point
from bayescale.models.stage_models import loss_model
from helpers.layouts import ONE_FACTOR


class TestRidge:
    @pytest.mark.parametrize("law", sorted(LAWS))
    def test_a_ridge_leaves_its_tangent_by_nothing_at_first_order(self, law: str) -> None:
        """The straight coordinate shares value and slope with the real one where they touch."""
        model = loss_model(LAWS[law], ONE_FACTOR)
        order = parameter_order(model)
        moments = prior_moments(model)
        at = np.stack([moments[p.name][0] for p in order], -1)
        centre = Point(*(np.full(3, v) for v in (-1.0, -0.5, -1.5, -1.0)))
        touch = tangent(model, order)(at, centre)
        one = jax.tree.map(lambda v: v[0], touch)
        value, slope = (
            curvature(model, order, one.at, one),
            jax.jacobian(lambda theta: curvature(model, order, theta, one))(one.at),
        )
        np.testing.assert_allclose(value, 0.0, atol=1e-12)
        np.testing.assert_allclose(slope, 0.0, atol=1e-9)
        away = one.at + 0.5
        on_ridge = curvature(model, order, away, one).shape[-1]
        moved = away.at[:on_ridge].add(0.3)
        np.testing.assert_allclose(
            curvature(model, order, moved, one),
            curvature(model, order, away, one),
            atol=1e-12,
            err_msg="so the change of coordinates has a unit Jacobian",
        )


class TestParameters:
    def test_exponents_on_a_ridge_come_first_and_noise_stands_apart(self) -> None:
        model = loss_model(LAWS["chinchilla"], ONE_FACTOR, discrepancy=True)
        assert {p.name for p in parameter_order(model)} == {"alpha", "beta", "L0", "phi", "psi"}
        assert {p.name for p in parameter_order(model)[:2]} == {"alpha", "beta"}
        assert [p.name for p in noise_parameters(model)] == ["widening", "sigma"]
        complete = loss_model(LAWS["chinchilla"], ONE_FACTOR, discrepancy=True, pooling="complete")
        names = [p.name for p in noise_parameters(complete)]
        assert names == ["widening", "law_discrepancy", "sigma"]
