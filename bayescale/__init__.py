"""Bayesian scaling laws: from a ladder of small runs to a credible interval for a large run.

Every public name is imported here; figures are in `bayescale.plots`.

>>> import bayescale as bs
>>> bs.setup()  # doctest: +SKIP
"""

from importlib.metadata import version as _version

from bayescale.backtests.backtest import backtest
from bayescale.backtests.record import Backtest
from bayescale.data.datasets import DATASETS, load_dataset
from bayescale.data.ladder import Ladder
from bayescale.data.readers import read_checkpoints, read_csv, read_gadre
from bayescale.data.replicates import with_reruns
from bayescale.data.target import Conventions, Target
from bayescale.decisions.candidate import Candidate
from bayescale.decisions.cost import Cost
from bayescale.decisions.decide import Decision, decide
from bayescale.decisions.evidence import Evidence, value_of_information
from bayescale.decisions.required import Required, required
from bayescale.decisions.value import Linear, Threshold
from bayescale.errors import BayescaleError, DataError, FileError, FitError, SettingError
from bayescale.extrapolation.amplitudes import Discrepancy
from bayescale.fits.fit import fit
from bayescale.fits.load import load_fit
from bayescale.fits.mixture import stack
from bayescale.fits.progress import progress_line
from bayescale.fits.record import Fit
from bayescale.fits.simulate import Simulation, simulate
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.frontier import frontier
from bayescale.forecasts.prior_sensitivity import parameter_sensitivity, prior_sensitivity
from bayescale.forecasts.record import Forecast
from bayescale.forecasts.update import Update, update
from bayescale.models.laws import LAWS, Law
from bayescale.models.links import LINKS, Link
from bayescale.models.parameters import Parameter
from bayescale.papers.reproduce import Analysis, Reproduction, reproduce
from bayescale.reports.report import Report, report
from bayescale.runtime import setup

__version__ = _version("bayescale")
__all__ = [
    "DATASETS",
    "LAWS",
    "LINKS",
    "Analysis",
    "Backtest",
    "BayescaleError",
    "Candidate",
    "Conventions",
    "Cost",
    "DataError",
    "Decision",
    "Discrepancy",
    "Evidence",
    "FileError",
    "Fit",
    "FitError",
    "Forecast",
    "Ladder",
    "Law",
    "Linear",
    "Link",
    "Parameter",
    "Report",
    "Reproduction",
    "Required",
    "SettingError",
    "Simulation",
    "Target",
    "Threshold",
    "Update",
    "backtest",
    "decide",
    "fit",
    "forecast",
    "frontier",
    "load_dataset",
    "load_fit",
    "parameter_sensitivity",
    "prior_sensitivity",
    "progress_line",
    "read_checkpoints",
    "read_csv",
    "read_gadre",
    "report",
    "reproduce",
    "required",
    "setup",
    "simulate",
    "stack",
    "update",
    "value_of_information",
    "with_reruns",
]
