"""Bhagia et al.: their released figures come back."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bayescale.papers.analysis import Analysis
from bayescale.papers.reproduce import reproduce

# Mean absolute errors in points, typed from published.md.
PUBLISHED_MEANS = {
    "chained": {"first four, 7B-4T (4)": 0.95, "first four, 13B-5T (4)": 1.25, "all 16 (16)": 3.99},
    "step2": {"first four, 7B-4T (4)": 1.42, "first four, 13B-5T (4)": 1.30, "all 16 (16)": 2.39},
    "compute-only": {
        "first four, 7B-4T (4)": 1.78,
        "first four, 13B-5T (4)": 2.37,
        "all 16 (16)": 3.40,
    },
    "single-step": {"first four, 7B-4T (4)": 1.73, "first four, 13B-5T (4)": 2.25},
    "c4": {
        "first four, 7B-4T (4)": 2.25,
        "first four, 13B-5T (4)": 3.31,
        "7B-4T, all 8 (8)": 2.00,
        "13B-5T, all 8 (8)": 3.45,
        "all 16 (16)": 2.73,
    },
}


# The fits of the single step drift along a ridge for two minutes; those of the two steps are done
# again in the chain.
SLOW = ("step2", "compute-only", "single-step")
NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in PUBLISHED_MEANS
]


@pytest.fixture(scope="module")
def analysed(shared_data: Path) -> Callable[[str], Analysis]:
    """An analysis by name; each is run once."""

    @cache
    def run(name: str) -> Analysis:
        return reproduce("bhagia2024", analysis=name, data=shared_data).analyses[0]

    return run


class TestBhagia:
    @pytest.mark.parametrize("name", ["step1", *NAMES])
    def test_released_figures_come_back(
        self, analysed: Callable[[str], Analysis], name: str
    ) -> None:
        analysis = analysed(name)
        assert analysis.frame["agrees"].notna().sum() >= 5
        assert analysis.differing.empty

    @pytest.mark.parametrize("name", NAMES)
    def test_mean_errors_are_the_published_ones(
        self, analysed: Callable[[str], Analysis], name: str
    ) -> None:
        means = (
            analysed(name).frame.query("what == 'mean absolute error'").set_index("task")["here"]
        )
        published = PUBLISHED_MEANS[name]
        assert means[list(published)].to_dict() == pytest.approx(published, abs=0.0051)

    @pytest.mark.slow
    def test_only_the_single_step_that_had_not_converged_lacks_a_figure(
        self, analysed: Callable[[str], Analysis]
    ) -> None:
        frame = analysed("single-step").frame
        assert set(frame.loc[frame["here"].isna(), "task"]) == {"openbookqa"}
        assert frame.loc[frame["here"].isna(), "note"].str.contains("second optimiser").all()

    def test_noise_of_the_last_checkpoints_goes_with_the_error(
        self, analysed: Callable[[str], Analysis]
    ) -> None:
        frame = analysed("variance").frame.set_index("task")
        assert frame.loc["hellaswag", "loss SD (%)"] == pytest.approx(0.0915, abs=5e-4)
        assert np.corrcoef(frame["loss SD (%)"], frame["step 1 error (%)"].abs())[0, 1] > 0.8

    @pytest.mark.slow
    def test_a_smaller_ladder_forecasts_worse_and_too_small_a_one_not_at_all(
        self, analysed: Callable[[str], Analysis]
    ) -> None:
        frame = analysed("smaller-ladders").frame
        by_compute = frame[frame["cut by"] == "flops"]
        size = by_compute["chained error (%)"].abs().groupby(by_compute["runs"]).mean()
        assert size[16] == pytest.approx(5.85, abs=0.01)
        assert size[6:10].min() > size[16]
        assert (
            by_compute.loc[by_compute["runs"] < 5, "note"]
            .str.contains("runs for 5 parameters")
            .all()
        )
