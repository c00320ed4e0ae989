"""Calibration where the model is true: truths from the prior, ladders from the truths, and the same
model fitted to each.
"""

from collections import defaultdict
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from arviz_stats.ecdf_utils import ecdf_pit

from bayescale.fits.fit import fit_many
from bayescale.fits.record import Fit
from bayescale.fits.settings import make_settings
from bayescale.fits.simulate import Simulation, simulate
from bayescale.forecasts.forecast import forecast
from bayescale.inference.nuts import Sampler

LADDERS, CHAINS, WARMUP, DRAWS, THIN, PROB = 50, 2, 200, 300, 6, 0.9
FAR = 3.9  # standard errors: 0.5 % of true models have any of the 50 figures further off
PARAMS = [p for p in (1e8, 3e8, 1e9) for _ in range(4)]
TOKENS = [p * m for p, m in zip(PARAMS, [10, 20, 50, 100] * 3, strict=True)]
TARGETS = [(7e9, 1.4e11), (1e10, 2e12)]


def ranks(made: Simulation, fitted: Fit) -> dict[str, float]:
    """Share of thinned draws below the truth, of each parameter of both steps: populations,
    spreads, and the first series' own.
    """
    found = {}
    truths = {"loss": made.loss_truth, "accuracy": made.accuracy_truth}
    for step, posterior in fitted.posteriors.named():
        tree, truth = posterior.draws, truths[step]
        for name, value in truth.items():
            draws = tree["posterior"][name].values.reshape(CHAINS, DRAWS, -1)[:, ::THIN, 0]
            found[f"{step}: {name}"] = float(np.mean(draws < np.ravel(value)[0]))
    return found


def inside(made: Simulation, fitted: Fit, seed: int) -> pd.DataFrame:
    """Whether each target's loss and accuracy lies in its interval, one row a (target, task)."""
    frame = (
        forecast(fitted, made.ladder.targets(), seed=seed)
        .to_frame(PROB)
        .set_index(["target", "task", "quantity"])
    )
    actual = (
        made.ladder.with_role("target")
        .frame.rename(columns={"run": "target"})
        .set_index(["target", "task"])
    )
    return pd.DataFrame(
        {
            q: actual[q].between(
                frame.xs(q, level="quantity")["lower"], frame.xs(q, level="quantity")["upper"]
            )
            for q in ("loss", "accuracy")
        }
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("discrepancy", ["none", "calibrated"])
def test_intervals_cover_and_ranks_are_uniform_when_the_model_is_true(
    discrepancy: Literal["none", "calibrated"], capsys: pytest.CaptureFixture[str]
) -> None:
    """Law and link true; and in error beyond the ladder, with noise that widens, as the prior of
    the discrepancy says.
    """
    covered, rank, failed = [], defaultdict(list), 0
    all_made = [
        simulate(
            params=PARAMS,
            tokens=TOKENS,
            targets=TARGETS,
            tasks=("a", "b", "c"),
            discrepancy=discrepancy,
            seed=seed,
        )
        for seed in range(LADDERS)
    ]
    settings = make_settings(
        all_made[0].ladder,
        law=None,
        link=None,
        via=None,
        pooling="partial",
        discrepancy=discrepancy,
        noise="normal",
        blocks=None,
        priors=None,
    )
    # of one shape: compiled once
    sampler = Sampler(chains=CHAINS, draws=DRAWS, warmup=WARMUP)
    fits = fit_many(settings, sampler, [made.ladder for made in all_made])
    for seed, (made, fitted) in enumerate(zip(all_made, fits, strict=True)):
        covered.append(inside(made, fitted, seed).mean())
        failed += any(c.status == "fail" and "divergences" in c.check for c in fitted.checks)
        for name, r in ranks(made, fitted).items():
            rank[name].append(r)
    share = pd.DataFrame(covered)
    mean, error = share.mean(), share.std() / np.sqrt(LADDERS)
    # simultaneous over the ranks of one parameter, and over the parameters
    level = 1 - 0.01 / len(rank)
    outside, too_far = [], []
    for name, r in rank.items():
        # of a uniform rank: sd 0.289 and 0.0745
        shift, spread = np.mean(r) - 0.5, np.mean((np.array(r) - 0.5) ** 2) - 1 / 12
        too_far += (
            [name] if max(abs(shift) / 0.289, abs(spread) / 0.0745) > FAR / np.sqrt(LADDERS) else []
        )
        _, ecdf, lower, upper = ecdf_pit(np.array(r), level, 20_000, rng=np.random.default_rng(0))
        if (ecdf < lower).any() or (ecdf > upper).any():
            outside.append(name)
    with capsys.disabled():
        print(
            f"\ndiscrepancy {discrepancy}: {LADDERS} simulated ladders, {failed} with divergences; "
            f"{100 * PROB:g} % intervals of the targets cover"
        )
        for q in share:
            print(
                f"  {q}: {100 * mean[q]:.1f} % "
                f"(standard error, clustered by ladder, {100 * error[q]:.1f})"
            )
        for name, r in rank.items():
            low, high, spread = (
                np.mean(np.array(r) < 0.05),
                np.mean(np.array(r) > 0.95),
                12 * np.mean((np.array(r) - 0.5) ** 2),
            )
            print(
                f"  {name}: mean rank {np.mean(r):.3f}, spread {spread:.2f} of 1, "
                f"below 5 %: {low:.2f}, above 95 %: {high:.2f}"
            )
        print(
            f"  of {len(rank)} parameters outside the simultaneous band: "
            f"{', '.join(outside) or 'none'}"
        )
        print(
            f"  ranks shifted, too wide or too narrow: {', '.join(too_far) or 'none'}", flush=True
        )
    assert not outside
    assert not too_far
    assert (abs(mean - PROB) <= 3 * error).all()
