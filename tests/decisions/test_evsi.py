"""Both estimators of one candidate: outcomes are runs like the ladder's, and the two agree."""

from collections.abc import Callable

import numpy as np
import pytest

from bayescale.data.datasets import load_dataset
from bayescale.data.target import Target
from bayescale.decisions.candidate import Candidate
from bayescale.decisions.evidence import value_of_information
from bayescale.decisions.evsi import RefitFigures, refit_figures
from bayescale.decisions.problem import EvsiProblem
from bayescale.decisions.value import Linear
from bayescale.fits.fit import fit
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast

LARGE = Target(1.3e10, 5e12, name="large", flops=4.6e23)
MONEY = {"cost": 1e6, "value": Linear(1e5, 0.6)}


@pytest.fixture(scope="module")
def passing_fit() -> Fit:
    """Draws enough for its checks to pass: fits with outcomes added whose checks fail are left
    out.
    """
    ladder = load_dataset("ladder2024", tasks=["mmlu", "hellaswag", "piqa", "c4"])
    return fit(ladder, chains=2, draws=1000)


def means_of_refits(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """A list that fills with draws of the mean accuracy over tasks, one entry per refit."""
    means: list[np.ndarray] = []

    def adding(ask: Callable[[Fit], EvsiProblem], fit: Fit) -> RefitFigures | None:
        problem = ask(fit)
        draws = forecast(fit, list(problem.targets), seed=problem.seed).draws["accuracy"]
        means.append(draws.mean("task").values)
        return refit_figures(ask, fit)

    monkeypatch.setattr("bayescale.decisions.evidence.refit_figures", adding)
    return means


class TestEvidence:
    @pytest.mark.slow
    def test_weighing_and_fitting_again_agree(
        self, passing_fit: Fit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A run of 7 times the compute of the largest, at the cost at which evidence tells most:
        expected width within a fifth, value within its Monte Carlo error. By
        refits the variance of the mean over tasks adds up, and narrows no more than it should.
        """
        value = Linear(1e5, 0.6)
        asked = {
            "cost": float(
                100
                * value.per_point
                * value.margin(forecast(passing_fit, LARGE).draws["accuracy"]).mean()
            ),
            "value": value,
        }
        candidates = [Candidate([Target(3e9, 3e11)], cost=1.0)]
        weighed = value_of_information(passing_fit, LARGE, candidates, **asked).table.iloc[0]
        assert weighed["method"] == "reweighting"
        monkeypatch.setattr("bayescale.decisions.evidence.UNRELIABLE", -np.inf)
        after = means_of_refits(monkeypatch)
        fitted = value_of_information(passing_fit, LARGE, candidates, **asked, refits=8).table.iloc[
            0
        ]
        total = np.mean([m.var() for m in after]) + np.var([m.mean() for m in after])
        before = forecast(passing_fit, LARGE).draws["accuracy"].mean("task").values
        print(f"variance after {total / before.var():.3f} of that before")
        assert len(after) == 8
        assert total / before.var() == pytest.approx(1.0, abs=0.25)
        print(f"\n{weighed.to_string()}\n{fitted.to_string()}")
        assert fitted["method"] == "refitting"
        assert fitted["reliable"], fitted["note"]
        assert weighed["evsi"] > weighed["evsi_floor"], "or there is nothing to compare"
        assert (1 - fitted["narrowing"]) / (1 - weighed["narrowing"]) == pytest.approx(1.0, abs=0.2)
        assert abs(weighed["evsi"] - fitted["evsi"]) <= 3 * np.hypot(
            weighed["evsi_se"], fitted["evsi_se"]
        ) + max(weighed["evsi_floor"], fitted["evsi_floor"])
