"""Figures, one function each: ``f(record, *, ax=None) -> Axes``. Importing this package, and nothing else, imports matplotlib."""

from bayescale.plots.chain import plot_chain
from bayescale.plots.forecast import plot_forecast
from bayescale.plots.forest import plot_forest
from bayescale.plots.law import plot_law
from bayescale.plots.link import plot_link

__all__ = ["plot_chain", "plot_forecast", "plot_forest", "plot_law", "plot_link"]
