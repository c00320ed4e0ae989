"""The figure of the chain: one curve per size, and bands where targets are."""

from bayescale import plots
from bayescale.fits.record import Fit
from helpers.figures import legend


def test_chain_has_a_curve_a_size_and_bands_where_targets_are(ladder_fit: Fit) -> None:
    targets = ladder_fit.ladder.targets()
    ax = plots.plot_chain(ladder_fit, task="mmlu", targets=targets)
    ax.figure.canvas.draw()
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "training tokens"
    assert ax.get_ylabel() == "accuracy (%)"
    assert sum(len(line.get_xdata()) for line in ax.lines if line.get_marker() == "o") == 16
    assert [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "D"] == [
        t.tokens for t in targets
    ]
    assert len(ax.collections) == 2 * len(targets)
    assert legend(ax)[-1] == "target, actual"
    assert len(plots.plot_chain(ladder_fit, task="mmlu").collections) == 0
