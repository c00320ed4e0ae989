"""Law `repeated` on the runs of Muennighoff et al., and on runs that repeat nothing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale.data.ladder import Ladder
from bayescale.data.target import Target
from bayescale.fits.fit import fit
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.plots import plot_law

TOLERANCE = 0.01  # of the loss; seeds of one configuration scatter by 0.1 to 0.5 %
PUBLISHED = {"alpha": 0.35266, "beta": 0.35266, "E": 1.869, "r_star_d": 15.3878, "r_star_n": 5.3097}


def undominated(runs: pd.DataFrame) -> pd.Series:
    """Whether no run with as few or fewer N, D and U has a loss lower by more than 1 %.

    The law falls in all three, so it cannot describe a run that got worse with more: one that
    diverged, or overfitted. The authors drop such runs by hand (182 of 296 are left); their list is
    not in the file.
    """
    size, loss = runs[["N", "D", "U"]].to_numpy(), runs["val_loss"].to_numpy()
    no_more = (size[None] <= size[:, None] * (1 + 1e-9)).all(-1)
    return pd.Series(
        loss <= (1 + TOLERANCE) * np.where(no_more, loss[None], np.inf).min(1), runs.index
    )


@pytest.fixture(scope="module")
def runs(shared_data: Path) -> pd.DataFrame:
    table = pd.read_csv(shared_data / "muennighoff2023" / "runs.csv")
    return table[undominated(table)]


@pytest.fixture(scope="module")
def ladder(runs: pd.DataFrame) -> Ladder:
    columns = {"N": "params", "D": "tokens", "U": "unique_tokens", "val_loss": "loss"}
    return Ladder.from_frame(runs.rename(columns=columns).assign(task="c4"), name="muennighoff2023")


@pytest.fixture(scope="module")
def repeated(ladder: Ladder) -> Fit:
    return fit(ladder, law="repeated", discrepancy="none", chains=2, draws=1000)


def interval(fitted: Fit, name: str) -> tuple[float, float]:
    low, high = np.quantile(fitted.losses["posterior"][name], [0.025, 0.975])
    return float(low), float(high)


@pytest.mark.slow
class TestMuennighoff:
    """The law is taken as true: a free function of size and tokens would take over what repetition
    explains. Measured, medians and 95 % intervals, all 216 runs, noise that widens, seed 0:

    alpha 0.39 (0.35 to 0.42), beta 0.40 (0.37 to 0.43), E 2.07 (2.01 to 2.13), R*_D 71 (54 to 98),
    R*_N 104 (53 to 204), sigma 2.8 %. The paper's are 0.353, 0.353, 1.869, 15.4 and 5.3: all just
    or far outside, because it fits otherwise. It takes alpha = beta, A, B and E from runs of one
    epoch and then R* alone, by a robust loss, on other runs. With its five constants held, R*_D is
    35 (18 to 70), R*_N 1.7 (1.1 to 2.7), sigma 9 %. On the runs with at most 20 epochs R*_D is 62
    (36 to 117), R*_N 32 (18 to 57). Student-t noise has a second mode, sigma 0.4 % and R*_D near
    31, and its chains do not mix. So R* hangs on the runs and on the fit, and what is asserted is
    what does not.
    """

    def test_the_rule_keeps_most_runs(self, runs: pd.DataFrame) -> None:
        assert len(runs) == 216
        assert runs["val_loss"].max() < 8.2

    def test_checks_pass(self, repeated: Fit) -> None:
        sampler = [check for check in repeated.checks if check.check.startswith("loss: ")]
        assert len(sampler) == 6
        assert all(check.status == "pass" for check in sampler)
        # The runs include seeds of one configuration, which the table does not tell.
        assert [c.check for c in repeated.checks if c.status != "pass"] == [
            "runs of one configuration"
        ]

    def test_describes_the_runs_better_than_chinchilla_does(
        self, repeated: Fit, ladder: Ladder
    ) -> None:
        """By more than its two parameters could by chance: twice the gain in log likelihood would
        then be a chi-squared of 2, below 14 with 99.9 %.
        """
        plain = fit(ladder, law="chinchilla", discrepancy="none", chains=2, draws=1000)
        one, other = (
            float(f.losses["log_likelihood"]["log_loss"].sum(("loss_name", "run")).mean())
            for f in (repeated, plain)
        )
        assert one > other + 7

    def test_repeated_tokens_fade_no_faster_than_published(self, repeated: Fit) -> None:
        """The data speak (the prior's 95 % interval is 5.8 to 41 and 2.0 to 14); both constants are
        at least the published ones.
        """
        for name in ("r_star_d", "r_star_n"):
            low, high = interval(repeated, name)
            assert PUBLISHED[name] < low < high < 50 * PUBLISHED[name]

    def test_exponents_and_floor_are_near_the_published_ones(self, repeated: Fit) -> None:
        for name in ("alpha", "beta", "E"):
            assert np.median(repeated.losses["posterior"][name]) == pytest.approx(
                PUBLISHED[name], rel=0.25
            )

    def test_a_target_that_repeats_is_forecast_worse(self, repeated: Fit) -> None:
        fresh, twice, often = (
            Target(1e10, 2e11, name=str(u), unique_tokens=u) for u in (None, 1e11, 2e9)
        )
        losses = (
            forecast(repeated, [fresh, twice, often])
            .draws["loss"]
            .isel(task=0)
            .median(("chain", "draw"))
            .to_numpy()
        )
        assert losses[0] < 1.02 * losses[1]
        assert losses[2] > 1.02 * losses[0]

    def test_the_figure_ends_at_the_target(self, repeated: Fit) -> None:
        """Band and bar are of one run: both know how many tokens are unique."""
        target = Target(1e10, 2e11, name="often", unique_tokens=2e9)
        plain = plot_law(repeated, targets=[Target(1e10, 2e11, name="fresh")])
        ax = plot_law(repeated, targets=[target])
        top, fresh = (
            max(
                c.get_paths()[0].vertices[:, 1][c.get_paths()[0].vertices[:, 0] > 1.19e22].max()
                for c in a.collections
            )
            for a in (ax, plain)
        )
        assert top > 1.02 * fresh


@pytest.mark.slow
def test_runs_that_repeat_nothing_leave_the_prior_of_r_star_d(four_tasks: Ladder) -> None:
    """Several series, none of which says anything of R*_D: the sampler still does its work, and the
    fit warns.
    """
    fitted = fit(four_tasks, law="repeated", discrepancy="calibrated", chains=2, draws=1000)
    status = {c.check: c.status for c in fitted.checks}
    assert (
        status["loss: divergences"],
        status["loss: bulk ESS"],
        status["runs that repeat data"],
    ) == ("pass", "pass", "warn")
    ends = [
        np.quantile(np.log(fitted.losses[group]["population_r_star_d"]), [0.1, 0.5, 0.9])
        for group in ("posterior", "prior")
    ]
    np.testing.assert_allclose(*ends, atol=0.12)
