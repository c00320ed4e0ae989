"""Law, discrepancy, noise and link chained: each part by itself, and all parts together."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.extrapolation.discrepancy import Error
from bayescale.extrapolation.predictive import (
    COMPONENTS,
    LOSS_COMPONENTS,
    AccuracyComponents,
    LossComponents,
    predict_losses,
    series_through,
)
from bayescale.models.inputs import AccuracyData, accuracy_data, loss_data
from bayescale.models.laws import LAWS, Point
from bayescale.models.links import LINKS
from bayescale.models.stage_models import accuracy_model, loss_model
from helpers.layouts import ONE_FACTOR

DRAWS, SERIES, TARGETS = 40, 3, 2
RNG = np.random.default_rng(0)
# real values of a plain logistic link
MIDDLE = {"lo": -1.1, "hi": 3.5, "middle": -0.5, "slope": 0.0, "noise_ratio": -0.7}


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


@pytest.fixture(scope="module")
def losses() -> LossComponents:
    shape = (DRAWS, SERIES, TARGETS)
    return LossComponents(
        law=normal(*shape),
        sd=np.exp(normal(*shape)),
        error=normal(*shape),
        noise=normal(*shape),
        shift=0.1 * normal(DRAWS, TARGETS),
    )


class TestLosses:
    def test_a_loss_is_law_discrepancy_noise_and_shift(self, losses: LossComponents) -> None:
        found = losses.log_loss()
        i, s, t = 7, 2, 1
        assert found[i, s, t] == pytest.approx(
            losses.law[i, s, t]
            + losses.error[i, s, t]
            + losses.sd[i, s, t] * losses.noise[i, s, t]
            + losses.shift[i, t]
        )
        quiet = replace(losses, noise=np.zeros_like(losses.noise))
        np.testing.assert_allclose(losses.without_noise(), quiet.log_loss(), rtol=1e-12)

    @pytest.mark.parametrize("again", LOSS_COMPONENTS)
    def test_one_part_can_be_drawn_again_beside_the_others(
        self, losses: LossComponents, again: str
    ) -> None:
        order = {name: np.arange(DRAWS) for name in LOSS_COMPONENTS}
        np.testing.assert_array_equal(losses.log_loss(order), losses.log_loss())
        order[again] = np.roll(order[again], 1)
        parts = {
            "law parameters": ("law", "sd"),
            "discrepancy": ("error", "shift"),
            "run-to-run noise": ("noise",),
        }[again]
        moved = {name: np.roll(getattr(losses, name), 1, axis=0) for name in parts}
        np.testing.assert_allclose(losses.log_loss(order), replace(losses, **moved).log_loss())
        assert not np.allclose(losses.log_loss(order), losses.log_loss())

    def test_forecasts_of_a_law_are_its_expectation_and_its_noise(self) -> None:
        model = loss_model(LAWS["compute"], ONE_FACTOR)
        real = {
            name: jnp.full((DRAWS, SERIES), value)
            for name, value in {"L0": 0.7, "gamma": -1.7, "phi": 0.5, "sigma": -4.0}.items()
        }
        c = np.array([[-1.0, 2.0]] * SERIES)
        shape = (DRAWS, SERIES, TARGETS)
        error = Error(known=np.full(shape, 0.02), random=np.full(shape, 0.03))
        key = jax.random.key(0)
        found = predict_losses(model, real, Point(c, c, c, c), c, error=error, noise_key=key)
        phi = 1 - (1 + np.exp(2.0)) ** -0.25
        law = 0.7 + np.log(phi + (1 - phi) * np.exp(-np.exp(-1.7) * c))
        np.testing.assert_allclose(found.law, np.broadcast_to(law + 0.02, shape), rtol=1e-12)
        np.testing.assert_allclose(found.sd, np.exp(-4.0), rtol=1e-12)
        np.testing.assert_array_equal(found.error, 0.03)
        assert not found.shift.any()
        assert stats.kstest(found.noise.ravel(), "norm").pvalue > 1e-3


@pytest.fixture(scope="module")
def three_tasks() -> Ladder:
    return load_dataset("ladder2024", tasks=["hellaswag", "arc_easy", "mmlu"])


@pytest.fixture(scope="module")
def data(three_tasks: Ladder) -> AccuracyData:
    data = accuracy_data(three_tasks.with_role("fit"), None)
    assert data is not None
    return data


@pytest.fixture(scope="module")
def accuracies(data: AccuracyData) -> AccuracyComponents:
    """No discrepancy and no noise: the link alone, of values that differ from draw to draw."""
    model = accuracy_model(LINKS["logistic"], data.groups)
    step = 0.01 * jnp.arange(DRAWS * SERIES).reshape(DRAWS, SERIES)
    return AccuracyComponents(
        model,
        {p.name: MIDDLE[p.name] + step for p in model.pooling.parameters},
        data,
        via=np.array([0, 2, -1]),
        known=np.zeros((DRAWS, SERIES, TARGETS)),
        error=np.zeros((DRAWS, SERIES, TARGETS)),
        noise=np.zeros((DRAWS, SERIES, TARGETS)),
        of_fitted=np.zeros((DRAWS, *data.through.shape)),
    )


class TestAccuracies:
    def test_without_discrepancy_and_noise_an_accuracy_is_the_link_of_its_loss(
        self, accuracies: AccuracyComponents, data: AccuracyData
    ) -> None:
        log_loss = np.log(data.centre.mean()) + 0.1 * normal(DRAWS, SERIES, TARGETS)
        found = accuracies.accuracy(log_loss)
        values = {
            p.name: np.asarray(p.transform(accuracies.real[p.name]))
            for p in accuracies.model.pooling.parameters
        }
        for series, via in ((0, 0), (1, 2)):
            z = (np.exp(log_loss[:, via]) - data.centre[series]) / data.scale[series]
            for i in (0, 9, 39):
                one = {name: v[i, series] for name, v in values.items()}
                wanted = [float(LINKS["logistic"].accuracy(one, jnp.asarray(at))) for at in z[i]]
                np.testing.assert_allclose(found[i, series], wanted, rtol=1e-9)
        assert np.isnan(found[:, 2]).all(), "the law has no loss that this task goes through"

    def test_both_parts_of_the_error_add_logits(
        self, accuracies: AccuracyComponents, data: AccuracyData
    ) -> None:
        log_loss = np.full((DRAWS, SERIES, TARGETS), np.log(data.centre.mean()))
        known, random = np.zeros((2, DRAWS, SERIES, TARGETS))
        known[..., 1], random[..., 1] = 0.4, 0.2
        moved = replace(accuracies, known=known, error=random)
        plain, shifted = (a.accuracy(log_loss)[:, :2] for a in (accuracies, moved))
        np.testing.assert_allclose(shifted[..., 0], plain[..., 0], err_msg="no error, no change")
        lo, hi = (special.expit(np.asarray(accuracies.real[k]))[:, :2] for k in ("lo", "hi"))
        logits = [special.logit((a[..., 1] - lo) / (hi - lo)) for a in (plain, shifted)]
        np.testing.assert_allclose(logits[1] - logits[0], 0.6, rtol=1e-6)

    def test_noise_is_that_of_the_items_and_keeps_scores_between_0_and_1(
        self, accuracies: AccuracyComponents, data: AccuracyData
    ) -> None:
        log_loss = np.full((DRAWS, SERIES, TARGETS), np.log(data.centre.mean()))
        plain = accuracies.accuracy(log_loss)[:, :2]
        one = replace(accuracies, noise=np.ones((DRAWS, SERIES, TARGETS)))
        ratio = np.exp(np.asarray(accuracies.real["noise_ratio"]))[:, :2, None]
        items = data.items[:2, None]
        wanted = plain + ratio * np.sqrt(plain * (1 - plain) / items)
        np.testing.assert_allclose(one.accuracy(log_loss)[:, :2], wanted, rtol=1e-3)
        for sign, bound in ((-1e4, 0.0), (1e4, 1.0)):
            far = replace(accuracies, noise=np.full((DRAWS, SERIES, TARGETS), sign))
            np.testing.assert_array_equal(far.accuracy(log_loss)[:, :2], bound)

    def test_each_task_finds_the_loss_of_its_own_corpus(self, three_tasks: Ladder) -> None:
        seen = load_dataset("gadre2024").with_role("fit")
        losses, scores = loss_data(seen), accuracy_data(seen, "c4")
        assert scores is not None
        through = series_through(losses.groups, scores)
        for (corpus, _), index in zip(scores.groups.pairs, through, strict=True):
            assert losses.groups.pairs[index] == (corpus, "c4")
        other = loss_data(three_tasks.with_role("fit"))
        assert (series_through(other.groups, scores) == -1).all()


def test_names_of_the_parts_are_in_the_order_in_which_they_are_chained() -> None:
    assert COMPONENTS[: len(LOSS_COMPONENTS)] == LOSS_COMPONENTS
    assert len(set(COMPONENTS)) == len(COMPONENTS) == 6
