"""The compute that an accuracy takes."""

from typing import Any

import pytest

from bayescale.data.target import Target
from bayescale.decisions.required import required
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast


class TestRequired:
    def test_a_run_of_that_size_reaches_it_with_that_probability(self, ladder_fit: Fit) -> None:
        task = ladder_fit.ladder.tasks[0]
        middle = forecast(ladder_fit, Target(3e9, 6e10)).draws["accuracy"].sel(task=task)
        accuracy = float(middle.quantile(0.3))
        result = required(ladder_fit, task, accuracy, 0.7)
        assert result.flops is not None
        assert result.params is not None
        assert result.tokens == pytest.approx(20 * result.params)
        at_size = (
            forecast(ladder_fit, Target(result.params, 20 * result.params), seed=1)
            .draws["accuracy"]
            .sel(task=task)
        )
        assert float((at_size >= accuracy).mean()) == pytest.approx(0.7, abs=0.06)

    def test_a_larger_probability_takes_more_compute(self, ladder_fit: Fit) -> None:
        middle = float(forecast(ladder_fit, Target(3e9, 6e10)).mean().iloc[0]["median"])
        plain = required(ladder_fit, None, middle, 0.5)
        more_certain = required(ladder_fit, None, middle, 0.7)
        assert plain.flops is not None
        assert more_certain.flops is None or more_certain.flops > plain.flops
        fixed = required(ladder_fit, None, middle, 0.5, params=2e9)
        assert fixed.params == 2e9

    def test_an_accuracy_beyond_the_range_has_no_run(self, ladder_fit: Fit) -> None:
        result = required(ladder_fit, None, 0.999, 0.9)
        assert (result.flops, result.params, result.tokens) == (None, None, None)
        assert "not within the range that this ladder can speak for" in repr(result)

    def test_a_size_far_from_the_ladders_is_answered_only_where_its_multiplier_is_near(
        self, ladder_fit: Fit
    ) -> None:
        """At 100 times the largest size, little compute leaves almost no tokens."""
        result = required(ladder_fit, ladder_fit.ladder.tasks[0], 0.27, 0.5, params=1.6e11)
        near = result.table["tokens"] / result.table["params"]
        assert not result.table.loc[near < 0.1, "spoken_for"].any()
        assert result.tokens is None or result.tokens / 1.6e11 > 0.1
        nowhere = required(ladder_fit, None, 0.5, 0.5, multiplier=1e6)
        assert nowhere.flops is None
        assert "no D / N is near its own" in nowhere.answer

    def test_what_the_ladder_does_not_speak_for_is_named(
        self, ladder_fit: Fit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        judged = ladder_fit.verdicts().assign(verdict="no trend")
        monkeypatch.setattr(Fit, "verdicts", lambda _: judged)
        assert (
            "the ladder does not speak for"
            in required(ladder_fit, ladder_fit.ladder.tasks[0], 0.5, 0.5).answer
        )

    @pytest.mark.parametrize(
        ("asked", "message"),
        [
            ({"tasks": None, "accuracy": 60.0}, "between 0 and 1"),
            ({"tasks": "chess", "accuracy": 0.6}, "chess"),
            ({"tasks": None, "accuracy": 0.6, "params": 1e9, "multiplier": 20.0}, "one of them"),
            ({"tasks": None, "accuracy": 0.6, "params": -1e9}, "positive"),
            ({"tasks": None, "accuracy": 0.6, "furthest": 0.05}, "above 0.1"),
        ],
    )
    def test_bad_input_is_refused(
        self, ladder_fit: Fit, asked: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(SettingError, match=message):
            required(ladder_fit, **asked)
