"""How the command line shows its results: JSON, tables, pictures."""

from bayescale.showing.backtests import backtest_json, draw_backtest, print_backtest
from bayescale.showing.decisions import decision_json, print_decision
from bayescale.showing.forecasts import draw, forecast_json, mixture, print_forecast, routes
from bayescale.showing.reproductions import print_reproduction, reproduction_json
from bayescale.showing.tables import check_picture, print_checks, width

__all__ = [
    "backtest_json",
    "check_picture",
    "decision_json",
    "draw",
    "draw_backtest",
    "forecast_json",
    "mixture",
    "print_backtest",
    "print_checks",
    "print_decision",
    "print_forecast",
    "print_reproduction",
    "reproduction_json",
    "routes",
    "width",
]
