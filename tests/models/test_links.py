"""Links: the standardised parametrisation and the papers' own formulas are one and the same
curve.
"""

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bayescale.errors import SettingError
from bayescale.models.links import LINKS, UNSEEN, Link, floor, get_link, lo_prior

CENTRE, SCALE = 1.13, 0.21  # of the losses that a link is fitted on
type Numbers = dict[str, float]
PAPERS: dict[str, Callable[[Numbers, float], float]] = {
    "logistic": lambda k, L: (
        k["lo"] + (k["hi"] - k["lo"]) / (1 + math.exp(-k["kappa"] * (k["m"] - L)))
    ),
    "exponential": lambda k, L: 1 - (k["eps"] - k["k"] * math.exp(-k["gamma"] * L)),
    "asymmetric": lambda k, L: (
        k["lo"] + (k["hi"] - k["lo"]) / (1 + math.exp(-k["kappa"] * (k["m"] - L))) ** k["nu"]
    ),
}


def draws(link: Link, count: int) -> list[Numbers]:
    """Values from the link's own priors, natural scale."""
    keys = jax.random.split(jax.random.key(11), len(link.parameters))
    columns = {
        p.name: np.asarray(p.prior.sample(key, (count,)))
        for key, p in zip(keys, link.parameters, strict=True)
    }
    return [{name: float(column[i]) for name, column in columns.items()} for i in range(count)]


def accuracy(link: Link, v: Numbers, L: float) -> float:
    return float(
        link.accuracy({k: jnp.asarray(x) for k, x in v.items()}, jnp.asarray((L - CENTRE) / SCALE))
    )


def test_every_link_has_its_paper() -> None:
    assert set(LINKS) == set(PAPERS)


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
class TestEveryLink:
    def test_is_the_papers_formula(self, link: Link) -> None:
        rng = np.random.default_rng(5)
        for v in draws(link, 50):
            L = CENTRE + SCALE * rng.uniform(-4, 3)
            constants = {
                k: float(x)
                for k, x in link.constants(v, jnp.asarray(CENTRE), jnp.asarray(SCALE)).items()
            }
            assert accuracy(link, v, L) == pytest.approx(
                PAPERS[link.name]({**v, **constants}, L), rel=1e-9
            )

    def test_rises_as_the_loss_falls(self, link: Link) -> None:
        for v in draws(link, 30):
            curve = [accuracy(link, v, L) for L in CENTRE + SCALE * np.linspace(2, -2, 9)]
            assert (np.diff(curve) > 0).all()

    def test_ends_at_lo_where_the_loss_is_high(self, link: Link) -> None:
        for v in draws(link, 30):
            assert accuracy(link, v, CENTRE + 1e6 * SCALE) == pytest.approx(v["lo"], rel=1e-12)
            assert accuracy(link, v, CENTRE) > v["lo"]

    def test_works_where_nothing_is_got_by_chance(self, link: Link) -> None:
        for v in draws(link, 10):
            rising = [
                accuracy(link, {**v, "lo": 0.0}, L)
                for L in (CENTRE + SCALE, CENTRE, CENTRE - SCALE)
            ]
            assert 0 < rising[0] < rising[1] < rising[2]

    def test_ridge_passes_through_the_mode_and_keeps_the_accuracies_at_either_end(
        self, link: Link
    ) -> None:
        for at in draws(link, 30):
            v = {name: jnp.asarray(x) for name, x in at.items()}
            back = link.ridge(v, v, jnp.asarray(0.0))
            assert {name: float(x) for name, x in back.items()} == pytest.approx(
                {name: at[name] for name in back}, rel=1e-9
            )
            gap = accuracy(link, at, CENTRE + SCALE) - at["lo"]
            shift = 0.1 * gap
            moved = {**v, "lo": v["lo"] + shift}
            kept = {
                name: float(x)
                for name, x in {**moved, **link.ridge(moved, v, jnp.asarray(0.0))}.items()
            }
            for L in (CENTRE + SCALE, CENTRE - SCALE):
                assert accuracy(link, kept, L) == pytest.approx(
                    accuracy(link, at, L), abs=(0.15 + UNSEEN / gap) * shift
                )

    def test_is_found_by_name(self, link: Link) -> None:
        assert get_link(link.name) is link


@pytest.mark.parametrize("name", ["logistic", "asymmetric"])
def test_sigmoid_stays_between_lo_and_hi(name: str) -> None:
    for v in draws(LINKS[name], 50):
        for z in (-50.0, -3.0, 0.0, 3.0, 50.0):
            # the slack is rounding
            assert (
                v["lo"] - 1e-12 <= accuracy(LINKS[name], v, CENTRE + SCALE * z) <= v["hi"] + 1e-12
            )
        assert accuracy(LINKS[name], v, CENTRE - 1e6 * SCALE) == pytest.approx(v["hi"], rel=1e-12)


def test_logistic_turns_at_m() -> None:
    link = LINKS["logistic"]
    for v in draws(link, 20):
        m = float(link.constants(v, jnp.asarray(CENTRE), jnp.asarray(SCALE))["m"])
        assert accuracy(link, v, m) == pytest.approx((v["lo"] + v["hi"]) / 2, rel=1e-9)


def test_middle_is_the_gain_at_the_mean_loss() -> None:
    v = {"lo": 0.25, "hi": 0.97, "middle": 0.4, "slope": 1.0}
    assert accuracy(LINKS["logistic"], v, CENTRE) == pytest.approx(0.25 + 0.75 * 0.4, rel=1e-3)
    assert accuracy(
        LINKS["exponential"], {"lo": 0.25, "middle": 0.4, "rate": 0.6}, CENTRE
    ) == pytest.approx(0.25 + 0.75 * 0.4, rel=1e-14)


class TestAsymmetric:
    def test_is_the_logistic_where_nu_is_one(self) -> None:
        for v in draws(LINKS["logistic"], 20):
            for L in CENTRE + SCALE * np.linspace(-3, 3, 7):
                assert accuracy(LINKS["asymmetric"], {**v, "nu": 1.0}, L) == pytest.approx(
                    accuracy(LINKS["logistic"], v, L), rel=1e-12
                )

    @pytest.mark.parametrize("nu", [0.2, 0.7, 1.5, 5.0])
    def test_accuracy_and_slope_at_the_mean_loss_are_the_logistics_whatever_nu_is(
        self, nu: float
    ) -> None:
        for v in draws(LINKS["logistic"], 20):
            here, there = (
                partial(link.accuracy, {**v, "nu": nu})
                for link in (LINKS["asymmetric"], LINKS["logistic"])
            )
            assert float(here(0.0)) == pytest.approx(float(there(0.0)), rel=1e-12)
            assert float(jax.grad(here)(0.0)) == pytest.approx(
                float(jax.grad(there)(0.0)), rel=1e-9
            )

    @pytest.mark.parametrize(("nu", "slower"), [(0.4, "bottom"), (2.5, "top")])
    def test_nu_says_which_end_is_approached_more_slowly(self, nu: float, slower: str) -> None:
        """What is still to gain five sds below the mean loss, and what is already gained five above
        it, beside the logistic.
        """
        v = {"lo": 0.25, "hi": 0.97, "middle": 0.5, "slope": 1.0}
        one, other = (
            [LINKS[name].accuracy({**v, "nu": nu}, z) for z in (-5.0, 5.0)]
            for name in ("asymmetric", "logistic")
        )
        assert (bool(one[0] < other[0]), bool(one[1] > other[1])) == (
            (True, False) if slower == "top" else (False, True)
        )


@pytest.mark.parametrize("chance", [0.1, 0.2, 0.25, 0.5])
def test_lo_sits_at_chance_with_sd_two_points(chance: float) -> None:
    lo = np.asarray(lo_prior(np.array([chance])).sample(jax.random.key(0), (20_000,)))
    assert lo.mean() == pytest.approx(chance, abs=0.002)
    assert lo.std() == pytest.approx(0.02, rel=0.12)
    assert np.quantile(lo, 0.95) == pytest.approx(chance + 1.645 * 0.02, abs=0.001)


def test_lo_of_a_task_that_cannot_be_guessed_is_a_small_share() -> None:
    lo = np.asarray(lo_prior(np.array([0.0, 0.25])).sample(jax.random.key(0), (4000,)))
    assert lo.shape == (4000, 2)
    assert ((lo > 0) & (lo < 1)).all()
    assert np.median(lo[:, 0]) == pytest.approx(0.002, rel=0.15)
    assert np.quantile(lo[:, 0], 0.95) == pytest.approx(0.002 + 1.645 * 0.02, rel=0.15)


def test_lo_of_a_task_that_guessing_nearly_solves_stays_below_one() -> None:
    lo = np.asarray(lo_prior(np.array([0.98])).sample(jax.random.key(0), (4000,)))
    assert ((lo > 0) & (lo < 1)).all()


def test_a_link_of_your_own_passes_through() -> None:
    mine = Link("mine", "acc = 1", (), lambda *_: jnp.ones(()), lambda *_: {})
    assert get_link(mine) is mine


@pytest.mark.parametrize("name", ["Logistic", "probit", None])
def test_an_unknown_link_is_answered_with_the_known_ones(name: object) -> None:
    with pytest.raises(SettingError) as caught:
        get_link(name)  # type: ignore[arg-type]
    assert "logistic, exponential, asymmetric" in str(caught.value)
    assert repr(name) in str(caught.value)


class TestFloor:
    CHANCE = np.array([0.25, 0.25, 0.5])

    def test_it_is_chance_unless_weak_runs_lie_well_below(self) -> None:
        accuracy = np.array([[0.26, 0.24, 0.6], [0.14, 0.16, 0.3], [0.49, 0.9, 0.9]])
        weak = np.array([[True, True, False], [True, True, False], [True, False, False]])
        np.testing.assert_allclose(floor(self.CHANCE, accuracy, weak), [0.25, 0.15, 0.5])

    def test_a_series_without_weak_runs_keeps_its_chance(self) -> None:
        none = np.zeros((3, 2), bool)
        np.testing.assert_array_equal(floor(self.CHANCE, np.full((3, 2), 0.9), none), self.CHANCE)
