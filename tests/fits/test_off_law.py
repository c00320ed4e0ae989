"""A run that lies off the law is named, and a sound ladder names none."""

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.data.ladder import Ladder
from bayescale.errors import SettingError
from bayescale.fits.fit import fit
from bayescale.fits.off_law import off_law
from bayescale.fits.record import Fit

SIZES = np.geomspace(1e8, 3e9, 14)


def fitted(seed: int, factor: float = 1.0) -> Fit:
    """Losses around L = 1.8 + 1.2 (C / 1e18)^-0.15, 0.5 % of noise; the ninth times a factor."""
    rng = np.random.default_rng(seed)
    loss = 1.8 + 1.2 * (6 * 20 * SIZES**2 / 1e18) ** -0.15
    loss = loss * np.exp(0.005 * rng.normal(size=len(SIZES)))
    loss[8] *= factor
    table = {"run": [f"r{i}" for i in range(len(SIZES))], "params": SIZES, "tokens": 20 * SIZES}
    ladder = Ladder.from_frame(pd.DataFrame({**table, "task": "c4", "loss": loss}))
    return fit(ladder, law="compute", discrepancy="none", chains=2, draws=200)


@pytest.fixture(scope="module", autouse=True)
def in_64_bit() -> None:
    bs.setup(2)


def test_the_run_that_is_off_comes_first_and_alone() -> None:
    table = off_law(fitted(1, factor=1.05))
    assert table["run"][0] == "r8"
    assert table["off"].tolist() == [True] + 13 * [False]
    assert table["below"].is_monotonic_decreasing


def test_a_sound_ladder_names_no_run() -> None:
    assert not off_law(fitted(2))["off"].any()


def test_a_run_that_moves_the_fit_is_never_passed_in_silence() -> None:
    """Seed 3: the outlier draws the posterior to itself, so its density is taken too high."""
    first = off_law(fitted(3, factor=1.05)).iloc[0]
    assert first["run"] == "r8"
    assert first["k"] > 0.7
    assert first["off"] or first["unknown"]


def test_the_densities_are_those_of_leaving_one_out() -> None:
    """ln p(y | others) of one run from a fit without it: the mean density over its draws."""
    whole = fitted(3)
    run = "r5"
    rest = fit(
        bs.leave_out(whole.ladder, run), law="compute", discrepancy="none", chains=2, draws=1000
    )
    posterior = rest.losses["posterior"].to_dataset()
    row = whole.ladder.frame.set_index("run").loc[run]
    reference = rest.loss_data.reference
    c = np.log(6 * row["params"] * row["tokens"] / reference.flops)
    values = {name: np.ravel(posterior[name]) for name in ("L0", "phi", "gamma", "sigma")}
    mean = np.log(
        values["L0"] * (values["phi"] + (1 - values["phi"]) * np.exp(-values["gamma"] * c))
    )
    z = (np.log(row["loss"]) - mean) / values["sigma"]
    density = np.exp(-0.5 * z**2) / values["sigma"] / np.sqrt(2 * np.pi)
    stated = off_law(whole).set_index("run").loc[run, "lpd"]
    assert stated == pytest.approx(np.log(density.mean()), abs=0.25)


def test_anything_else_is_refused() -> None:
    with pytest.raises(SettingError):
        off_law("fit")  # type: ignore[arg-type]


def test_too_few_draws_are_refused() -> None:
    rows = fitted(1).ladder
    few = fit(rows, law="compute", discrepancy="none", chains=2, draws=20)
    with pytest.raises(SettingError, match="50 draws or more"):
        off_law(few)
