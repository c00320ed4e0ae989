"""The worth of a result, and the probability of a threshold."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bayescale.decisions.value import Linear, Threshold, reach
from bayescale.errors import SettingError
from bayescale.forecasts.forecast import Forecast

SHARE = st.floats(0.0, 1.0)
quick = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


class TestLaws:
    @quick
    @given(one=SHARE, other=SHARE)
    def test_a_higher_threshold_never_raises_the_probability_of_reaching_it(
        self, made: Forecast, one: float, other: float
    ) -> None:
        low, high = (reach(Threshold(1.0, a), made.draws)["prob"] for a in sorted((one, other)))
        assert (high <= low).all()


class TestBadInput:
    @pytest.mark.parametrize(
        ("build", "said"),
        [
            (lambda: Threshold(1.0, 60.0), r"\[0, 1\]"),
            (lambda: Threshold(1.0, {"a": -0.1}), r"\[0, 1\]"),
            (lambda: Threshold(1.0, {}), r"\[0, 1\]"),
            (lambda: Threshold(-1.0, 0.5), "above 0"),
            (lambda: Threshold(1.0, {"a": 0.5}, tasks=["a"]), "mean alone"),
            (lambda: Linear(0.0), "above 0"),
            (lambda: Linear(1.0, baseline=60.0), r"\[0, 1\)"),
        ],
    )
    def test_values_that_are_none(self, build: Callable[[], Threshold | Linear], said: str) -> None:
        with pytest.raises(SettingError, match=said):
            build()
