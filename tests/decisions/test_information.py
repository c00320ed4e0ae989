"""EVSI from weights: closed forms of a normal, its floor and its bootstrap."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bayescale.decisions.figures import Figures, combination, condensed
from bayescale.decisions.information import (
    Prospect,
    bootstrap_error,
    information,
    log_likelihood,
    prospect,
    refitting_floor,
    shuffled,
    weights_given,
    width_given,
)
from bayescale.decisions.preference import Preference

INDIFFERENT = Preference(0.0, 1.0, 1.0)
SHARE = st.floats(0.0, 1.0)


class TestLaws:
    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(
        seed=st.integers(0, 10_000),
        draws=st.integers(2, 40),
        outcomes=st.integers(1, 10),
        targets=st.integers(1, 3),
        scale=st.floats(1e-3, 1e3),
        aversion=st.floats(0.0, 3.0),
        regret=SHARE,
    )
    def test_no_information_is_worth_less_than_nothing_or_more_than_all(
        self,
        seed: int,
        draws: int,
        outcomes: int,
        targets: int,
        scale: float,
        aversion: float,
        regret: float,
    ) -> None:
        rng = np.random.default_rng(seed)
        net, weights = (
            scale * rng.standard_t(3, (draws, targets)),
            rng.dirichlet(np.full(draws, 0.3), outcomes).T,
        )
        preference = Preference(aversion, regret, scale)
        found = information(prospect(weights, net, preference), preference)
        assert found.sample >= 0
        assert found.perfect >= found.sample - 1e-6 * scale


class TestClosedForms:
    """theta ~ Normal(m, s^2) is the net value; y = theta + Normal(0, t^2) is seen first."""

    MEAN, SD, NOISE = -0.4, 1.0, 0.7

    def gain(self, sd: float) -> float:
        """E max(0, X) - max(0, m), X ~ Normal(m, sd^2)."""
        u = self.MEAN / sd
        return sd * (stats.norm.pdf(u) + u * stats.norm.cdf(u)) - max(0.0, self.MEAN)

    @pytest.mark.parametrize("draws", [4000, 40_000])
    def test_sample_information_of_a_normal(self, draws: int) -> None:
        """Five figures, each as noisy as t: as good as one of t / sqrt(5)."""
        rng = np.random.default_rng(1)
        theta = self.MEAN + self.SD * rng.standard_normal(draws)
        figures = Figures(
            np.tile(theta[:, None], (1, 5)),
            np.full((draws, 5), self.NOISE),
            np.zeros((draws, 0, 5)),
        )
        t = condensed(
            figures.of(slice(1, None, 2)),
            combination(figures.of(slice(0, None, 2)), theta[::2, None], rng),
        )
        weights, k = weights_given(log_likelihood(*t, 400, rng))
        net = theta[1::2]
        assert np.quantile(k, 0.9) < 0.7
        found = information(prospect(weights, net[:, None], INDIFFERENT), INDIFFERENT)
        known = self.gain(self.SD**2 / np.sqrt(self.SD**2 + self.NOISE**2 / 5))
        of_draws = np.maximum(net, 0.0).std() / np.sqrt(len(net))
        assert found.sample == pytest.approx(
            known,
            abs=3 * np.hypot(found.standard_error, of_draws) if draws == 4000 else 0.02 * known,
        )
        assert found.perfect == pytest.approx(
            self.gain(self.SD), abs=3 * of_draws if draws == 4000 else 0.02 * self.gain(self.SD)
        )

    def test_the_interval_given_an_outcome_is_the_conjugate_one(self) -> None:
        theta = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
        weights, _ = weights_given(-0.5 * ((0.3 - theta[:, None]) / self.NOISE) ** 2)
        sd = np.sqrt(1 / (1 + 1 / self.NOISE**2))
        assert width_given(theta, weights, (0.05, 0.95))[0] == pytest.approx(
            2 * 1.645 * sd, rel=0.01
        )


class TestMonteCarloError:
    """Of an EVSI by weights: outcomes that tell nothing, and its spread over fresh draws."""

    @staticmethod
    def drawn(
        rng: np.random.Generator, told: float, draws: int = 1000
    ) -> tuple[np.ndarray, np.ndarray]:
        """Net values, and weights given outcomes that correlate with them by so much; E net is nil,
        where chance tells most.
        """
        theta = rng.standard_normal(draws)
        t = told * theta + np.sqrt(1 - told**2) * rng.standard_normal(draws)
        y = stats.norm.ppf((np.arange(100) + 0.5) / 100)
        weights = np.exp(-0.5 * ((y - t[:, None]) / 0.5) ** 2)
        return (theta - theta.mean())[:, None], weights / weights.sum(0)

    def test_the_floor_is_what_chance_gives(self) -> None:
        rng = np.random.default_rng(0)
        net, weights = self.drawn(rng, 0.0)
        floor = shuffled(weights, net, INDIFFERENT, rng)
        chance = [
            information(prospect(w, n, INDIFFERENT), INDIFFERENT).sample
            for n, w in (self.drawn(rng, 0.0) for _ in range(200))
        ]
        assert 0.75 < np.mean(np.array(chance) < floor) < 0.99
        real = information(prospect(*self.drawn(rng, 0.8)[::-1], INDIFFERENT), INDIFFERENT).sample
        assert real > 5 * floor

    def test_the_floor_of_refits_is_that_of_means_as_noisy_as_they_are(self) -> None:
        """E max(0, z) - max(0, E z) over eight means around nil: their spread, nothing else."""
        rng = np.random.default_rng(2)
        covariances = [np.eye(1) * 4.0] * 8
        floor = refitting_floor(np.zeros(1), np.zeros(1), covariances, INDIFFERENT, rng)
        chance = [
            information(
                Prospect(2.0 * rng.standard_normal((8, 1)), np.zeros((8, 1)), 0.0), INDIFFERENT
            ).sample
            for _ in range(500)
        ]
        assert 0.75 < np.mean(np.array(chance) < floor) < 0.99
        assert refitting_floor(np.full(1, 100.0), np.zeros(1), covariances, INDIFFERENT, rng) == 0

    def test_the_bootstrap_is_the_spread_over_fresh_draws(self) -> None:
        rng = np.random.default_rng(1)
        each = [self.drawn(rng, 0.5) for _ in range(60)]
        spread = np.std(
            [information(prospect(w, n, INDIFFERENT), INDIFFERENT).sample for n, w in each]
        )
        errors = [bootstrap_error(w, n, INDIFFERENT, rng) for n, w in each[:5]]
        assert np.mean(errors) == pytest.approx(spread, rel=0.5)
