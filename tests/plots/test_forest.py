"""The figure of parameters: one row per task, the population and the prior."""

import pytest

from bayescale import plots
from bayescale.fits.record import Fit
from helpers.figures import legend


def test_forest_has_a_row_a_task_the_population_and_the_prior(
    ladder_fit: Fit, gadre_fit: Fit
) -> None:
    ax = plots.plot_forest(ladder_fit, "slope")
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        *ladder_fit.ladder.tasks,
        "population",
    ]
    assert "prior, 90 %" in legend(ax)
    summary = ladder_fit.summary().set_index(["parameter", "series"])
    span = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    assert (span.x0, span.x1) == pytest.approx(
        tuple(summary.loc[("slope", "olmo-mix, mmlu"), ["lower_prior", "upper_prior"]]), rel=0.1
    )
    medians = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]
    assert medians[0] == pytest.approx(
        float(ladder_fit.accuracies["posterior"]["slope"].sel(task="mmlu").median())
    )  # type: ignore[index]
    corpora = legend(plots.plot_forest(gadre_fit, "eta"))
    assert set(gadre_fit.ladder.corpora) < set(corpora)
