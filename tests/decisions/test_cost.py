"""Costs: the formula, ranges, and what bad input is told."""

from typing import Any

import numpy as np
import pytest

from bayescale.data.target import Target
from bayescale.decisions.cost import PEAK, Cost, cost_draws
from bayescale.errors import SettingError

SMALL, LARGE = (
    Target(params=1e9, tokens=1e11, name="small"),
    Target(params=7e9, tokens=4e12, name="large"),
)


def test_training_is_flops_over_what_devices_do_in_an_hour() -> None:
    money = Cost(device="H100", utilisation=0.4, price=2.5, overhead=0.1).draw(
        [SMALL, LARGE], 3, seed=0
    )
    wanted = 2.5 * 1.1 * 6 * np.array([1e9 * 1e11, 7e9 * 4e12]) / (0.4 * PEAK["H100"] * 3600)
    np.testing.assert_allclose(money, np.tile(wanted, (3, 1)))


def test_measured_flops_go_before_6nd() -> None:
    measured = Target(params=1e9, tokens=1e11, flops=9e20)
    one, other = Cost(utilisation=0.4, price=2.0).draw([measured, SMALL], 1, seed=0)[0]
    assert one / other == pytest.approx(9e20 / 6e20)


def test_serving_makes_a_smaller_model_cheaper() -> None:
    """Same training compute; the larger one costs more for every token that it serves, 2N FLOPs
    each.
    """
    pair = [Target(params=1e9, tokens=4e11), Target(params=2e9, tokens=2e11)]
    plain, served = (
        Cost(
            utilisation=0.4, price=2.0, overhead=0.0, served_tokens=n, serving_utilisation=0.2
        ).draw(pair, 1, seed=0)[0]
        for n in (0.0, 1e12)
    )
    assert plain[0] == pytest.approx(plain[1])
    np.testing.assert_allclose(
        served - plain, 2.0 * 2e12 * np.array([1e9, 2e9]) / (0.2 * PEAK["H100"] * 3600)
    )


def test_ranges_are_uniform_and_shared_by_all_targets() -> None:
    money = Cost(utilisation=0.4, price=(1.0, 3.0), overhead=0.0).draw(
        [SMALL, LARGE], 20_000, seed=1
    )
    np.testing.assert_allclose(money[:, 1] / money[:, 0], 280.0)
    price = money[:, 0] / Cost(utilisation=0.4, price=1.0, overhead=0.0).draw([SMALL], 1, seed=0)[0]
    assert (price.min(), price.max()) == pytest.approx((1.0, 3.0), abs=0.01)
    assert np.mean(price < 1.5) == pytest.approx(0.25, abs=0.01)


def test_a_sum_or_sums_by_name() -> None:
    np.testing.assert_array_equal(cost_draws(9e6, [SMALL, LARGE], 2, 0), [[9e6, 9e6], [9e6, 9e6]])
    np.testing.assert_array_equal(
        cost_draws({"small": 1.0, "large": 2.0}, [SMALL, LARGE], 1, 0), [[1.0, 2.0]]
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"device": "abacus"}, "H100"),
        ({"utilisation": 0.0}, "above 0"),
        ({"utilisation": 1.2}, "at most 1"),
        ({"price": (3.0, 2.0)}, "from low to high"),
        ({"overhead": -0.1}, "0 or more"),
        ({"price": np.inf}, "0 or more"),
        ({"price": [2.0, 3.0]}, "0 or more"),
        ({"served_tokens": -1.0}, "0 or more"),
    ],
)
def test_bad_costs_are_told(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        Cost(**settings)


@pytest.mark.parametrize("cost", [-1.0, float("nan"), {"small": 1.0}])
def test_bad_sums_are_told(cost: Any) -> None:
    with pytest.raises(SettingError, match="cost"):
        cost_draws(cost, [SMALL, LARGE], 1, 0)
