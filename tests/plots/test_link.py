"""The figure of a link: units, chance and percent."""

import numpy as np

from bayescale import plots
from bayescale.fits.record import Fit
from helpers.figures import points, texts


def test_link_has_units_chance_and_percent(ladder_fit: Fit) -> None:
    ax = plots.plot_link(ladder_fit, task="piqa")
    ax.figure.canvas.draw()
    assert "piqa loss (bits/byte)" in ax.get_xlabel()
    assert ax.get_ylabel() == "accuracy (%)"
    assert ax.xaxis_inverted()
    assert "chance 50 %" in texts(ax)
    assert {float(t.get_text()) for t in ax.get_yticklabels()} >= {60.0, 70.0}
    rows = ladder_fit.ladder.frame
    rows = rows[rows["task"] == "piqa"]
    np.testing.assert_allclose(
        points(ax, filled=True), rows.loc[rows["role"] == "fit", ["loss", "accuracy"]].T
    )
    np.testing.assert_allclose(
        points(ax, filled=False, marker="D"),
        rows.loc[rows["role"] == "target", ["loss", "accuracy"]].T,
    )


def test_link_goes_through_the_loss_of_the_fit(gadre_fit: Fit) -> None:
    ax = plots.plot_link(gadre_fit, task="average46", corpus="refinedweb")
    assert "c4 loss (nats/token)" in ax.get_xlabel()
    assert "trained on refinedweb" in ax.get_title()
