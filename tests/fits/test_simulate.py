"""simulate: a seed decides everything, the truth is what the figures were drawn from, and a bad
argument is told what is wrong.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import numpyro.distributions as dist
import pytest

from bayescale.data.ladder import Ladder
from bayescale.errors import BayescaleError
from bayescale.fits.simulate import Simulation, simulate
from bayescale.models.links import Link

type Values = dict[str, np.ndarray]
PARAMS, TOKENS = [1e8, 1e8, 4e8, 4e8, 8e8, 1.6e9], [2e9, 1e10, 8e9, 4e10, 1.6e10, 1e11]
TARGETS = [(7e9, 1e12), (1.3e10, 4e12)]
CORPORA, TASKS = ("web", "code"), ("piqa", "mmlu", "arc")
NEXT_TO_NO_NOISE = {
    "sigma": dist.LogNormal(np.log(1e-10), 0.1),
    "noise_ratio": dist.LogNormal(np.log(1e-8), 0.1),
}


def drawn(**settings: Any) -> Simulation:
    return simulate(
        **{
            "params": PARAMS,
            "tokens": TOKENS,
            "targets": TARGETS,
            "corpora": CORPORA,
            "tasks": TASKS,
            **settings,
        }
    )


def grid(ladder: Ladder, column: str) -> np.ndarray:
    """(series, runs), the series being corpus by task, as the truth has them."""
    return np.stack(
        [
            ladder.where(corpus=c, task=t).frame[column].to_numpy(float)
            for c in ladder.corpora
            for t in ladder.loss_names
        ]
    )


def places(ladder: Ladder) -> tuple[np.ndarray, np.ndarray]:
    """N / N0 and D / D0.

    N0 and D0 are geometric means over the fitted runs with at least a fifth of the largest compute.
    """
    runs = ladder.runs
    seen = runs[runs["role"] == "fit"]
    near = seen[seen["params"] * seen["tokens"] >= (seen["params"] * seen["tokens"]).max() / 5]
    n0, d0 = (np.exp(np.log(near[k]).mean()) for k in ("params", "tokens"))
    return grid(ladder, "params") / n0, grid(ladder, "tokens") / d0


def _chinchilla(v: Values, n: np.ndarray, d: np.ndarray) -> np.ndarray:
    return v["L0"] * (
        v["phi"] + (1 - v["phi"]) * (v["psi"] * n ** -v["alpha"] + (1 - v["psi"]) * d ** -v["beta"])
    )


def _gadre(v: Values, n: np.ndarray, d: np.ndarray) -> np.ndarray:
    return _chinchilla({**v, "alpha": 2 * v["eta"], "beta": 2 * v["eta"]}, n, d)


def _compute(v: Values, n: np.ndarray, d: np.ndarray) -> np.ndarray:
    return v["L0"] * (v["phi"] + (1 - v["phi"]) * (n * d) ** -v["gamma"])


def _logistic(v: Values, z: np.ndarray) -> np.ndarray:
    ratio = v["middle"] * (1 - v["lo"]) / (v["hi"] - v["lo"])
    q = ratio / (1 + ratio**8) ** 0.125
    return v["lo"] + (v["hi"] - v["lo"]) / (1 + (1 - q) / q * np.exp(v["slope"] * z))


def _exponential(v: Values, z: np.ndarray) -> np.ndarray:
    return v["lo"] + (1 - v["lo"]) * v["middle"] * np.exp(-v["rate"] * z)


def _skaling(v: Values, n: np.ndarray, d: np.ndarray) -> np.ndarray:
    addends = v["psi"] * n ** (-v["alpha"] / v["k"]) + (1 - v["psi"]) * d ** (-v["beta"] / v["k"])
    return v["L0"] * (v["phi"] + (1 - v["phi"]) * addends ** v["k"])


def _repeated(v: Values, n: np.ndarray, d: np.ndarray) -> np.ndarray:
    """No data repeated, so only parameters in excess count for less."""
    enough = np.minimum(
        n,
        (v["alpha"] * v["psi"] / (v["beta"] * (1 - v["psi"])) * d ** v["beta"]) ** (1 / v["alpha"]),
    )
    return _chinchilla(
        v, enough * (1 + v["r_star_n"] * (1 - np.exp(-(n / enough - 1) / v["r_star_n"]))), d
    )


def _asymmetric(v: Values, z: np.ndarray) -> np.ndarray:
    ratio = v["middle"] * (1 - v["lo"]) / (v["hi"] - v["lo"])
    q = ratio / (1 + ratio**8) ** 0.125
    p = q ** (1 / v["nu"])
    return (
        v["lo"]
        + (v["hi"] - v["lo"])
        / (1 + (1 - p) / p * np.exp(v["slope"] * (1 - q) / (v["nu"] * (1 - p)) * z)) ** v["nu"]
    )


CURVES = {
    "chinchilla": _chinchilla,
    "gadre": _gadre,
    "compute": _compute,
    "skaling": _skaling,
    "repeated": _repeated,
}
SCORES = {"logistic": _logistic, "exponential": _exponential, "asymmetric": _asymmetric}


def columns(truth: Values) -> Values:
    """One row a series, to stand beside its runs."""
    series = len(truth["L0"] if "L0" in truth else truth["lo"])
    return {name: v[:, None] for name, v in truth.items() if v.shape == (series,)}


def standardised(ladder: Ladder) -> np.ndarray:
    """(L - mean) / sd of each series, mean and sd those of the task's losses over the fitted runs
    of all corpora.
    """
    losses, fitted = grid(ladder, "loss"), ladder.with_role("fit")
    seen = [fitted.where(task=t).frame["loss"] for _ in ladder.corpora for t in ladder.loss_names]
    return (losses - np.array([[s.mean()] for s in seen])) / np.array([[s.std()] for s in seen])


class TestSeed:
    def test_same_seed_same_ladder_and_truth(self) -> None:
        one, again = drawn(seed=4), drawn(seed=4)
        assert one.ladder == again.ladder
        for mine, other in (
            (one.loss_truth, again.loss_truth),
            (one.accuracy_truth, again.accuracy_truth),
        ):
            assert set(mine) == set(other)
            assert all(np.array_equal(mine[name], other[name]) for name in mine)

    def test_another_seed_another_ladder_and_truth(self) -> None:
        one, other = drawn(seed=4), drawn(seed=5)
        for column in ("loss", "accuracy"):
            assert not np.isclose(
                one.ladder.frame[column], other.ladder.frame[column], rtol=1e-6
            ).any()
        assert not np.isclose(one.loss_truth["alpha"], other.loss_truth["alpha"]).any()
        assert not np.isclose(one.accuracy_truth["lo"], other.accuracy_truth["lo"]).any()


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return drawn(chance=0.2, items=500, law="gadre", link="exponential")


class TestLadder:
    def test_every_corpus_has_every_run_and_target(self, simulation: Simulation) -> None:
        assert simulation.ladder.corpora == list(CORPORA)
        for corpus in CORPORA:
            runs = simulation.ladder.where(corpus=corpus).runs
            assert list(zip(runs["params"], runs["tokens"], strict=True)) == [
                *zip(PARAMS, TOKENS, strict=True),
                *TARGETS,
            ]
            assert list(runs["role"]) == ["fit"] * len(PARAMS) + ["target"] * len(TARGETS)

    def test_targets_are_ready_to_forecast(self, simulation: Simulation) -> None:
        found = [(t.corpus, t.params, t.tokens) for t in simulation.ladder.targets()]
        assert sorted(found) == sorted((c, *t) for c in CORPORA for t in TARGETS)

    def test_every_run_has_every_task_with_a_loss_of_its_own(self, simulation: Simulation) -> None:
        ladder = simulation.ladder
        assert len(ladder.frame) == len(CORPORA) * (len(PARAMS) + len(TARGETS)) * len(TASKS)
        assert ladder.loss_name_of == {t: t for t in TASKS}
        assert ladder.frame["accuracy"].between(0, 1).all()
        assert (ladder.task_table == [0.2, 500]).all(axis=None)
        assert list(ladder.task_table.index) == list(TASKS)

    def test_a_fit_would_take_the_same_law_and_link(self, simulation: Simulation) -> None:
        assert (simulation.ladder.law, simulation.ladder.link) == ("gadre", "exponential")

    def test_truth_has_one_value_a_series(self, simulation: Simulation) -> None:
        for name in ("L0", "phi", "psi", "eta", "sigma"):
            assert simulation.loss_truth[name].shape == (6,)
        for name in ("lo", "middle", "rate", "noise_ratio"):
            assert simulation.accuracy_truth[name].shape == (6,)

    def test_without_a_link_there_are_losses_alone_and_the_same_ones(self) -> None:
        alone, both = drawn(link=None), drawn()
        assert alone.accuracy_truth == {}
        assert alone.ladder.tasks == []
        assert alone.ladder.frame["accuracy"].isna().all()
        np.testing.assert_array_equal(alone.ladder.frame["loss"], both.ladder.frame["loss"])

    def test_priors_are_the_users(self) -> None:
        priors = {
            "alpha": dist.LogNormal(np.log(0.5), 1e-9),
            "slope": dist.LogNormal(np.log(3.0), 1e-9),
        }
        simulation = drawn(pooling="none", priors=priors)
        np.testing.assert_allclose(simulation.loss_truth["alpha"], 0.5, rtol=1e-6)
        np.testing.assert_allclose(simulation.accuracy_truth["slope"], 3.0, rtol=1e-6)

    def test_complete_pooling_has_one_exponent_for_all(self) -> None:
        truth = drawn(pooling="complete").loss_truth
        assert truth["alpha"].shape == (1,)
        assert len(set(truth["L0"])) == 6


class TestTruth:
    @pytest.mark.parametrize("pooling", ["partial", pytest.param("none", marks=pytest.mark.slow)])
    @pytest.mark.parametrize(("law", "curve"), CURVES.items(), ids=CURVES)
    def test_law_gives_the_losses(
        self, law: str, curve: Callable[[Values, np.ndarray, np.ndarray], np.ndarray], pooling: str
    ) -> None:
        simulation = drawn(law=law, pooling=pooling, priors=NEXT_TO_NO_NOISE)
        np.testing.assert_allclose(
            grid(simulation.ladder, "loss"),
            curve(columns(simulation.loss_truth), *places(simulation.ladder)),
            rtol=1e-7,
        )

    @pytest.mark.parametrize(("link", "score"), SCORES.items(), ids=SCORES)
    def test_link_gives_the_accuracies(
        self, link: str, score: Callable[[Values, np.ndarray], np.ndarray]
    ) -> None:
        simulation = drawn(link=link, priors=NEXT_TO_NO_NOISE)
        wanted = np.clip(
            score(columns(simulation.accuracy_truth), standardised(simulation.ladder)), 0, 1
        )
        np.testing.assert_allclose(grid(simulation.ladder, "accuracy"), wanted, atol=1e-7)


class TestNoise:
    """Four hundred runs a series, each residual over the scale that the truth states."""

    SIZES = cast(Sequence[float], list(np.geomspace(1e8, 1e9, 400)))

    def many(self, **settings: Any) -> Simulation:
        return drawn(
            params=self.SIZES, tokens=[20 * n for n in self.SIZES], targets=(), seed=2, **settings
        )

    def residuals(self, simulation: Simulation) -> np.ndarray:
        truth = columns(simulation.loss_truth)
        return (
            np.log(grid(simulation.ladder, "loss") / _chinchilla(truth, *places(simulation.ladder)))
            / truth["sigma"]
        )

    def test_of_losses_is_normal_with_the_scale_of_the_truth(self) -> None:
        z = self.residuals(self.many(link=None))
        assert np.abs(z.mean(1)).max() < 4.5 / np.sqrt(400)
        assert np.abs(z.std(1) - 1).max() < 4.5 / np.sqrt(800)

    def test_of_under_tuned_runs_lies_above_the_law(self) -> None:
        """Exponential of mean 1 plus a fifth of a standard normal: variance 1.04."""
        z = self.residuals(self.many(link=None, noise="one_sided"))
        assert np.abs(z.mean(1) - 1).max() < 4.5 * np.sqrt(1.04 / 400)
        assert z.min() > -1.2
        assert z.max() > 4

    def test_of_heavy_tails_has_its_degrees_of_freedom_in_the_truth(self) -> None:
        simulation = self.many(link=None, noise="student_t")
        assert np.all(simulation.loss_truth["tail"] > 0)

    def test_of_accuracies_is_that_of_their_questions(self) -> None:
        simulation = self.many(items=800)
        truth, accuracy = columns(simulation.accuracy_truth), grid(simulation.ladder, "accuracy")
        p = _logistic(truth, standardised(simulation.ladder))
        z = (accuracy - p) / (truth["noise_ratio"] * np.sqrt(p * (1 - p) / 800))
        inside = (p > 0.05) & (p < 0.95)
        assert inside.sum() > 1000
        assert abs(z[inside].mean()) < 4.5 / np.sqrt(inside.sum())
        assert z[inside].std() == pytest.approx(1.0, abs=4.5 / np.sqrt(2 * inside.sum()))


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "size": ({"params": [-1e8, *PARAMS[1:]]}, "params"),
    "tokens not a number": ({"tokens": ["many", *TOKENS[1:]]}, "tokens"),
    "target of no size": ({"targets": [(0.0, 1e12)]}, "params"),
    "unequal lengths": ({"tokens": TOKENS[:-1]}, "tokens"),
    "target without tokens": ({"targets": [7e9]}, "targets"),
    "two runs": ({"params": PARAMS[:2], "tokens": TOKENS[:2]}, "at least 3 fitted runs"),
    "task twice": ({"tasks": ("a", "a")}, "'a' twice"),
    "chance in percent": ({"chance": 25.0}, "chance"),
    "no questions": ({"items": 0}, "items"),
    "law": ({"law": "kaplan"}, "'kaplan'"),
    "link": ({"link": "probit"}, "'probit'"),
    "pooling": ({"pooling": "some"}, "'some'"),
    "noise": ({"noise": "cauchy"}, "'cauchy'"),
    "prior of no parameter": ({"priors": {"alfa": dist.LogNormal(0.0, 1.0)}}, "'alfa'"),
    "prior that is a number": ({"priors": {"alpha": 0.3}}, "'alpha'"),
    "seed": ({"seed": "today"}, "seed"),
}


@pytest.mark.parametrize(("settings", "word"), BAD.values(), ids=BAD)
def test_bad_arguments_are_named_in_one_line(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(BayescaleError) as caught:
        drawn(**settings)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_link_of_ones_own_is_used() -> None:
    constant = Link(
        "constant", "acc = lo", (), lambda v, z: 0.5 + 0 * z, lambda v, centre, scale: {}
    )
    simulation = drawn(link=constant, priors=NEXT_TO_NO_NOISE)
    np.testing.assert_allclose(simulation.ladder.frame["accuracy"], 0.5, atol=1e-7)


class TestDiscrepancy:
    """Law and link err, and noise widens towards small runs.

    The parameters are those of the same seed without discrepancy.
    """

    def test_its_size_is_part_of_the_truth(self) -> None:
        assert "widening" not in drawn().loss_truth
        truth = drawn(discrepancy="calibrated")
        series = len(grid(truth.ladder, "loss"))
        assert truth.loss_truth["widening"].shape == (series,)
        assert truth.loss_truth["law_discrepancy"].shape == (1,), "one for all losses of tasks"
        assert truth.accuracy_truth["link_discrepancy"].shape == (series,)

    def test_runs_and_targets_lie_off_the_law_and_the_link(self) -> None:
        quiet = {"priors": NEXT_TO_NO_NOISE, "seed": 3}
        true, wrong = drawn(**quiet), drawn(**quiet, discrepancy="calibrated")
        np.testing.assert_allclose(wrong.loss_truth["alpha"], true.loss_truth["alpha"])
        log_ratio = np.log(grid(wrong.ladder, "loss") / grid(true.ladder, "loss"))
        runs = len(PARAMS)
        size = float(wrong.loss_truth["law_discrepancy"][0])
        inside, beyond = log_ratio[:, :runs], log_ratio[:, runs:]
        assert 0.2 < np.sqrt((inside**2).mean()) / size < 3.0
        assert np.sqrt((beyond**2).mean()) > 0.2 * size
        moved = grid(wrong.ladder, "accuracy") - grid(true.ladder, "accuracy")
        assert np.abs(moved).max() > 1e-3
