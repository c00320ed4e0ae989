"""Costs: the formula, ranges, the compute that is priced, and what is refused."""

from typing import Any

import numpy as np
import pytest

from bayescale.data.target import Target
from bayescale.decisions.cost import PEAK, Cost, cost_draws, money
from bayescale.errors import SettingError

SMALL = Target(params=1e9, tokens=1e11, name="small")
LARGE = Target(params=7e9, tokens=4e12, name="large")


def test_training_costs_flops_over_those_of_an_hour_of_the_device() -> None:
    cost = Cost(device="H100", utilisation=0.4, price=2.5, overhead=0.1)
    expected = 2.5 * 1.1 * 6 * np.array([1e9 * 1e11, 7e9 * 4e12]) / (0.4 * PEAK["H100"] * 3600)
    np.testing.assert_allclose(cost.draw([SMALL, LARGE], 3, seed=0), np.tile(expected, (3, 1)))


def test_a_cost_by_itself_takes_the_measured_compute_before_6nd() -> None:
    measured = Target(params=1e9, tokens=1e11, flops=9e20)
    of_measured, of_6nd = Cost(utilisation=0.4, price=2.0).draw([measured, SMALL], 1, seed=0)[0]
    assert of_measured / of_6nd == pytest.approx(9e20 / 6e20)


def test_a_compute_that_is_given_is_the_one_that_is_priced() -> None:
    measured = Target(params=1e9, tokens=1e11, flops=9e20)
    by_6nd = Cost().draw([SMALL], 5, seed=0)
    for draws in (
        Cost().draw([measured], 5, seed=0, flops=[6e20]),
        cost_draws(Cost(), [measured], 5, 0, flops=np.array([6e20])),
    ):
        np.testing.assert_array_equal(draws, by_6nd)


def test_a_smaller_model_costs_less_to_serve() -> None:
    """Both take the same training compute; each token served takes 2N FLOPs."""
    pair = [Target(params=1e9, tokens=4e11), Target(params=2e9, tokens=2e11)]
    training, training_and_serving = (
        Cost(
            utilisation=0.4, price=2.0, overhead=0.0, served_tokens=n, serving_utilisation=0.2
        ).draw(pair, 1, seed=0)[0]
        for n in (0.0, 1e12)
    )
    assert training[0] == pytest.approx(training[1])
    np.testing.assert_allclose(
        training_and_serving - training,
        2.0 * 2e12 * np.array([1e9, 2e9]) / (0.2 * PEAK["H100"] * 3600),
    )


def test_ranges_are_uniform_and_their_draws_common_to_all_targets() -> None:
    cost = Cost(utilisation=0.4, price=(1.0, 3.0), overhead=0.0)
    draws = cost.draw([SMALL, LARGE], 20_000, seed=1)
    np.testing.assert_allclose(draws[:, 1] / draws[:, 0], 280.0)
    at_price_1 = Cost(utilisation=0.4, price=1.0, overhead=0.0).draw([SMALL], 1, seed=0)[0]
    price = draws[:, 0] / at_price_1
    assert (price.min(), price.max()) == pytest.approx((1.0, 3.0), abs=0.01)
    assert np.mean(price < 1.5) == pytest.approx(0.25, abs=0.01)


def test_one_amount_for_all_or_one_per_target() -> None:
    np.testing.assert_array_equal(cost_draws(9e6, [SMALL, LARGE], 2, 0), [[9e6, 9e6], [9e6, 9e6]])
    amounts = {"small": 1.0, "large": 2.0}
    np.testing.assert_array_equal(cost_draws(amounts, [SMALL, LARGE], 1, 0), [[1.0, 2.0]])


@pytest.mark.parametrize(
    ("settings", "message"),
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
def test_bad_costs_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Cost(**settings)


@pytest.mark.parametrize("cost", [-1.0, float("nan"), {"small": 1.0}])
def test_bad_amounts_are_refused(cost: Any) -> None:
    with pytest.raises(SettingError, match="cost"):
        cost_draws(cost, [SMALL, LARGE], 1, 0)


def test_money_has_four_digits_and_commas() -> None:
    assert [money(amount) for amount in (3.14159, 9999.4, 1234567.0)] == [
        "3.142",
        "9999",
        "1,235,000",
    ]
