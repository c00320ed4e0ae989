"""The figure of a law: units, runs, targets and corpora."""

import numpy as np

from bayescale import plots
from bayescale.data.target import Target
from bayescale.fits.record import Fit
from helpers.figures import legend, points


def test_law_has_units_runs_and_targets(ladder_fit: Fit) -> None:
    ladder = ladder_fit.ladder
    ax = plots.plot_law(ladder_fit, loss_name="c4", targets=ladder.targets())
    ax.figure.canvas.draw()
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "training compute, measured (FLOPs)"
    assert ax.get_ylabel() == "c4 loss (nats/token)"
    assert any("7B-4T" in t for t in legend(ax))
    assert any("13B-5T" in t for t in legend(ax))
    rows = ladder.frame[ladder.frame["loss_name"] == "c4"].drop_duplicates("run").set_index("run")
    for role, filled in (("fit", True), ("held_out", False)):
        drawn, wanted = points(ax, filled=filled), rows[rows["role"] == role]
        np.testing.assert_allclose(drawn[1], wanted["loss"])
        np.testing.assert_allclose(drawn[0], wanted["flops"], rtol=1e-6)


def test_law_follows_the_fitted_runs(gadre_fit: Fit) -> None:
    """The thick line has the multiplier of the largest run, and passes the runs of that multiplier.

    It passes them within 3 %: the law fits to about 1 %.
    """
    ax = plots.plot_law(gadre_fit)
    assert "6ND (FLOPs)" in ax.get_xlabel()
    median = max(
        (line for line in ax.lines if len(line.get_xdata()) > 2),
        key=lambda line: line.get_linewidth(),
    )
    runs = gadre_fit.ladder.where(corpus="c4", role="fit").frame.drop_duplicates("run")
    runs = runs[np.isclose(runs["tokens"] / runs["params"], 20)]
    curve = np.interp(
        np.log(6 * runs["params"] * runs["tokens"]), np.log(median.get_xdata()), median.get_ydata()
    )
    np.testing.assert_allclose(curve, runs["loss"], rtol=0.03)


def test_law_of_an_unknown_target_has_no_actual_loss(ladder_fit: Fit) -> None:
    ax = plots.plot_law(ladder_fit, targets=[Target(7e10, 1.4e12, name="70B")])
    assert any(t.startswith("70B, D/N") for t in legend(ax))
    assert not any("actual" in t for t in legend(ax))


def test_targets_choose_the_corpus_and_others_stay_out(gadre_fit: Fit) -> None:
    targets = [t for t in gadre_fit.ladder.targets() if t.corpus != "c4"]
    ax = plots.plot_law(gadre_fit, targets=targets)
    assert "trained on redpajama" in ax.get_title()
    assert not any("refinedweb" in t for t in legend(ax))
