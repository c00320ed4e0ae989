"""The figure of the frontier."""

import numpy as np
import pytest

from bayescale import plots
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.frontier import frontier
from helpers.figures import legend


def test_a_frontier_has_bands_of_both_quantities(ladder_fit: Fit) -> None:
    found = frontier(ladder_fit, [1e21, 1e22, 1e23])
    ax = plots.plot_frontier(found)
    assert (ax.get_xscale(), ax.get_yscale(), len(ax.collections)) == ("log", "log", 2)
    np.testing.assert_allclose(
        ax.lines[0].get_ydata(), found.query("quantity == 'params'")["median"]
    )
    lost = plots.plot_frontier(found, quantity="loss given up")
    assert legend(lost) == ["D / N = 20", "D / N = 100", "D / N = 640"]
    assert "c4 on olmo-mix" in lost.get_title()
    with pytest.raises(SettingError, match="quantity"):
        plots.plot_frontier(found, quantity="beauty")
