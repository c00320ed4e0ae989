"""A backtest whose cases are written down, and the settings of one that tests share."""

import pandas as pd

from bayescale.backtests.record import LEVELS, OURS, Backtest

# of a short backtest of losses
HELD = {
    "cuts": [5e19, 3e20],
    "baselines": False,
    "discrepancy": "calibrated",
    "chains": 2,
    "draws": 60,
}
NAME = {"loss": "c4", "accuracy": "quiz"}


def written_backtest(quantity: str = "accuracy") -> Backtest:
    """Two cuts with three runs each, of which one lies outside its interval."""
    rows = []
    for cut in (1e19, 1e20):
        for i, (actual, median) in enumerate([(0.52, 0.50), (0.61, 0.60), (0.90, 0.70)]):
            half = {
                f"{end}_{100 * p:.0f}": median + sign * 0.1 * p
                for p in LEVELS
                for end, sign in (("lower", -1), ("upper", 1))
            }
            unit = 100 / actual if quantity == "loss" else 100.0
            rows.append(
                {
                    "model": OURS,
                    "cut": cut,
                    "run": f"run {i}",
                    "corpus": "web",
                    "quantity": quantity,
                    "name": NAME[quantity],
                    "role": "fit",
                    "extrapolation_factor": 2.0 * 4**i,
                    "actual": actual,
                    "mean": median,
                    "median": median,
                    "sd": 0.05,
                    "error": unit * (median - actual),
                    "crps": 1.0,
                    "interval_score": 20.0,
                    **half,
                }
            )
    folds = [
        {"model": OURS, "cut": cut, "runs": 8, "status": "pass", "failed": ""}
        for cut in (1e19, 1e20)
    ]
    return Backtest(pd.DataFrame(rows), pd.DataFrame(folds), "flops")
