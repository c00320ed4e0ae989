"""Arguments of wrong types: every public function answers by the package's own error."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayescale as bs
from bayescale.data.ladder import Ladder
from bayescale.fits.fit import fit
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.record import Forecast
from helpers.tables import assert_one_line

RUN = bs.Target(7e9, 4e12, flops=1.7e23, name="7B")
VALUE = bs.Threshold(3e6, 0.7)
# Of no argument a right value: text that names nothing, numbers out of every range, other types.
JUNK = {
    "object": object(),
    "complex": 1j,
    "bytes": b"x",
    "nan": float("nan"),
    "below nought": -1,
    "beyond a float": -(10**400),
    "thousands of digits": -(10**5000),
    "date": pd.Timestamp("2024-01-01"),
    "numpy date": np.datetime64("2024-01-01"),
    "array without dimensions": np.array("x"),
    "array": np.array([-1.0, np.nan]),
    "frame": pd.DataFrame({0: [1]}),
    "list of lists": [["x"]],
    "mapping": {1: 2},
    "class": int,
}


@dataclass(frozen=True)
class Records:
    """What the functions take, made once."""

    ladder: Ladder
    fit: Fit
    forecast: Forecast


@pytest.fixture(scope="module")
def records(small_fit: Fit) -> Records:
    return Records(small_fit.ladder, small_fit, forecast(small_fit, RUN))


# The arguments of each function that are right; each of them in turn is replaced by junk.
CALLS: dict[str, tuple[Callable[..., object], Callable[[Records], dict[str, Any]]]] = {
    "fit": (
        fit,
        lambda r: {
            "ladder": r.ladder,
            "law": "compute",
            "link": "logistic",
            "via": "auto",
            "pooling": "none",
            "discrepancy": "none",
            "noise": "normal",
            "priors": {},
            "chains": 2,
            "draws": 50,
            "seed": 0,
            "progress": print,
        },
    ),
    "backtest": (
        bs.backtest,
        lambda r: {
            "ladder": r.ladder,
            "by": "flops",
            "cuts": [1e21],
            "law": "compute",
            "link": "logistic",
            "via": "auto",
            "pooling": "none",
            "discrepancy": "none",
            "noise": "normal",
            "priors": {},
            "chains": 2,
            "draws": 50,
            "seed": 0,
            "progress": print,
        },
    ),
    "simulate": (
        bs.simulate,
        lambda _: {
            "params": [1e8, 2e8, 4e8],
            "tokens": [2e9, 4e9, 8e9],
            "targets": [(1e9, 1e11)],
            "corpora": ["a"],
            "tasks": ["quiz"],
            "chance": 0.25,
            "items": 100,
            "law": "compute",
            "link": "logistic",
            "noise": "normal",
            "pooling": "none",
            "discrepancy": "none",
            "priors": {},
            "seed": 0,
        },
    ),
    "stack": (bs.stack, lambda r: {"fits": [r.fit, r.fit]}),
    "forecast": (forecast, lambda r: {"fit": r.fit, "target": RUN, "seed": 0}),
    "update": (
        bs.update,
        lambda r: {
            "before": r.fit,
            "new_runs": r.ladder.frame,
            "targets": [RUN],
            "prob": 0.9,
            "seed": 0,
            "progress": print,
        },
    ),
    "frontier": (
        bs.frontier,
        lambda r: {"fit": r.fit, "budgets": [1e22], "multipliers": [20], "prob": 0.9},
    ),
    "required": (
        bs.required,
        lambda r: {
            "fit": r.fit,
            "tasks": ["hellaswag"],
            "accuracy": 0.6,
            "prob": 0.5,
            "multiplier": 20,
            "corpus": "olmo-mix",
            "furthest": 10.0,
            "seed": 0,
        },
    ),
    "decide": (
        bs.decide,
        lambda r: {
            "forecast": r.forecast,
            "cost": 1e6,
            "value": VALUE,
            "evidence": None,
            "risk_aversion": 0.5,
            "most_regret": 0.5,
            "stake": 3e6,
            "seed": 0,
        },
    ),
    "value_of_information": (
        bs.value_of_information,
        lambda r: {
            "fit": r.fit,
            "target": RUN,
            "candidates": [RUN],
            "cost": bs.Cost(),
            "value": VALUE,
            "risk_aversion": 0.5,
            "most_regret": 0.5,
            "stake": 3e6,
            "outcomes": 10,
            "refits": 2,
            "seed": 0,
            "progress": print,
        },
    ),
    "prior_sensitivity": (
        bs.prior_sensitivity,
        lambda r: {"fit": r.fit, "forecast": r.forecast},
    ),
    "parameter_sensitivity": (bs.parameter_sensitivity, lambda r: {"fit": r.fit}),
    "Forecast.to_frame": (
        lambda prob, made: made.to_frame(prob),
        lambda r: {"prob": 0.9, "made": r.forecast},
    ),
    "Forecast.mean": (
        lambda tasks, prob, made: made.mean(tasks, prob),
        lambda r: {"tasks": ["hellaswag"], "prob": 0.9, "made": r.forecast},
    ),
    "Forecast.compare": (
        lambda a, b, made: made.compare(a, b),
        lambda r: {"a": "7B", "b": "7B", "made": r.forecast},
    ),
    "Forecast.scaled": (
        lambda by, made: made.scaled(by),
        lambda r: {"by": 1.0, "made": r.forecast},
    ),
    "Cost.draw": (
        lambda targets, draws, seed: bs.Cost().draw(targets, draws, seed),
        lambda _: {"targets": [RUN], "draws": 2, "seed": 0},
    ),
    "Target": (
        bs.Target,
        lambda _: {
            "params": 7e9,
            "tokens": 4e12,
            "corpus": "a",
            "name": "b",
            "flops": 1e23,
            "unique_tokens": 1e12,
            "shift": 0.1,
            "conventions": bs.Conventions(),
        },
    ),
    "Conventions": (
        bs.Conventions,
        lambda _: {"params": "a", "tokenizer": "b", "loss_units": {"c4": "nats/token"}},
    ),
    "Cost": (
        bs.Cost,
        lambda _: {
            "device": "H100",
            "utilisation": 0.4,
            "price": (2.0, 3.0),
            "overhead": 0.1,
            "served_tokens": 0.0,
            "serving_utilisation": 0.2,
        },
    ),
    "Threshold": (
        bs.Threshold,
        lambda _: {"worth": 3e6, "accuracy": 0.7, "tasks": ["a"], "weights": {"a": 1.0}},
    ),
    "Linear": (
        bs.Linear,
        lambda _: {"per_point": 1e5, "baseline": 0.6, "tasks": ["a"], "weights": {"a": 1.0}},
    ),
    "Candidate": (
        bs.Candidate,
        lambda _: {"runs": [RUN], "cost": 1e4, "items": 2.0, "name": "a"},
    ),
    "Parameter": (
        bs.Parameter,
        lambda _: {
            "name": "alpha",
            "support": "positive",
            "prior": dist.LogNormal(0.0, 1.0),
            "pooling": 0.3,
            "source": "a guess",
        },
    ),
    "Law": (bs.Law, lambda _: dict(vars(bs.LAWS["compute"]))),
    "Link": (bs.Link, lambda _: dict(vars(bs.LINKS["logistic"]))),
}
# Junk that is right here: anything that can be called is a function, and records are given as such.
RIGHT = {("progress", "class"), ("value", "class")} | {
    (part, "class") for part in ("log_ratio", "constants", "ridge", "accuracy")
}
# The record of a method: it is no argument.
SELF = {"made"}


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_type_is_answered_by_an_error_of_the_package(name: str, records: Records) -> None:
    function, make_arguments = CALLS[name]
    arguments = make_arguments(records)
    for argument in sorted(set(arguments) - SELF):
        for kind, junk in JUNK.items():
            if (argument, kind) in RIGHT:
                continue
            with pytest.raises(bs.BayescaleError) as caught:
                function(**{**arguments, argument: junk})
            assert_one_line(caught.value)
            assert len(str(caught.value)) < 600, (argument, kind)


@pytest.mark.parametrize("name", ["fit", "backtest", "update", "simulate", "forecast", "decide"])
def test_a_seed_beyond_64_bits_is_refused_before_any_work(name: str, records: Records) -> None:
    function, make_arguments = CALLS[name]
    for seed in (2**63, 2**64, 10**400):
        with pytest.raises(bs.SettingError, match="at most 2\\*\\*63 - 1"):
            function(**{**make_arguments(records), "seed": seed})


def test_one_name_is_one_task() -> None:
    assert bs.Threshold(3e6, 0.7, tasks="mmlu").tasks == ("mmlu",)
    assert bs.Linear(1e5, tasks="mmlu").tasks == ("mmlu",)
