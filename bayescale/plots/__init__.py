"""Figures, one function each: ``plot_law(fit, ax=None)`` and the like draw on axes and return them.

Importing this package loads Matplotlib; ``import bayescale`` alone does not.
"""

from bayescale.plots.calibration import plot_calibration
from bayescale.plots.chain import plot_chain
from bayescale.plots.error import plot_error
from bayescale.plots.evidence import plot_evidence
from bayescale.plots.forecast import plot_forecast
from bayescale.plots.forest import plot_forest
from bayescale.plots.frontier import plot_frontier
from bayescale.plots.law import plot_law
from bayescale.plots.link import plot_link
from bayescale.plots.truth import plot_truth

__all__ = [
    "plot_calibration",
    "plot_chain",
    "plot_error",
    "plot_evidence",
    "plot_forecast",
    "plot_forest",
    "plot_frontier",
    "plot_law",
    "plot_link",
    "plot_truth",
]
