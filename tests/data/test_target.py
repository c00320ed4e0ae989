"""Target: its sizes, its name, its conventions and its compute."""

import numpy as np
import pytest

from bayescale.data.target import Conventions, Target
from bayescale.errors import DataError
from helpers.tables import assert_one_line


class TestTarget:
    @pytest.mark.parametrize("what", ["params", "tokens", "flops", "unique_tokens"])
    @pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf, "seven", "7e9", True, [7e9]])
    def test_sizes_are_positive_and_finite(self, what: str, value: object) -> None:
        with pytest.raises(DataError) as caught:
            Target(**{"params": 7e9, "tokens": 1e12, what: value})  # type: ignore[arg-type]
        assert_one_line(
            caught.value,
            f"{what} of the target",
            "must be a positive finite number",
            f"got {value!r}",
        )

    @pytest.mark.parametrize("what", ["params", "tokens"])
    def test_sizes_are_needed(self, what: str) -> None:
        with pytest.raises(DataError, match=f"{what} of the target"):
            Target(**{"params": 7e9, "tokens": 1e12, what: None})  # type: ignore[arg-type]

    def test_shift_may_be_zero_not_less(self) -> None:
        assert Target(7e9, 1e12, shift=0).shift == 0.0
        with pytest.raises(DataError, match="shift of the target"):
            Target(7e9, 1e12, shift=-0.01)

    def test_named_by_its_size_unless_named(self) -> None:
        assert Target(7e9, 1.5e12).label == "7e+09 params, 1.5e+12 tokens"
        assert Target(7e9, 1.5e12, name="7B").label == "7B"
        assert Target(7e9, 1.5e12) == Target(7_000_000_000, 1.5e12)

    def test_conventions_cannot_be_changed_later(self) -> None:
        units = {"c4": "nats/token"}
        conventions = Conventions(loss_units=units)
        units["c4"] = "bits/byte"
        assert conventions.loss_units == {"c4": "nats/token"}
        with pytest.raises(TypeError):
            conventions.loss_units["c4"] = "bits/byte"  # type: ignore[index]

    def test_compute_is_6nd(self) -> None:
        assert Target(7e9, 1e12).compute_6nd == 4.2e22


def test_a_target_of_compute_alone_has_that_compute() -> None:
    target = Target.of_compute(1.2e23, corpus="web")
    assert target.compute_6nd == pytest.approx(1.2e23)
    assert target.flops == 1.2e23
    assert target.tokens == pytest.approx(20 * target.params)
    assert target.label == "1.2e+23 FLOPs"
    with pytest.raises(DataError, match="flops of the target"):
        Target.of_compute(-1.0)
