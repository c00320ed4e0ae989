"""What every figure shares: titles of failed fits, axes given, and wrong names."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bayescale import plots
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.record import Forecast
from bayescale.plots.style import literal
from helpers.fits import with_trees


@pytest.mark.parametrize(("status", "says"), [("fail", True), ("warn", False), ("pass", False)])
def test_a_failed_fit_is_said_in_the_title(
    ladder_forecast: Forecast, status: str, says: bool
) -> None:
    assert (
        "FAIL" in plots.plot_forecast(replace(ladder_forecast, status=status)).get_title()
    ) == says


def test_each_draws_into_the_axes_given(ladder_fit: Fit, ladder_forecast: Forecast) -> None:
    figure, axes = plt.subplots(1, 3, figsize=(24, 6), layout="constrained")
    drawn = [
        plots.plot_law(ladder_fit, ax=axes[0]),
        plots.plot_link(ladder_fit, ax=axes[1]),
        plots.plot_forecast(ladder_forecast, ax=axes[2]),
    ]
    figure.canvas.draw()
    assert all(got is given for got, given in zip(drawn, axes, strict=True))
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize(
    ("draw", "names"),
    [
        (lambda fit: plots.plot_law(fit, loss_name="c5"), "c4"),
        (lambda fit: plots.plot_law(fit, corpus="pile"), "olmo-mix"),
        (lambda fit: plots.plot_link(fit, task="pika"), "piqa"),
        (lambda fit: plots.plot_link(fit, corpus="pile"), "olmo-mix"),
        (lambda fit: plots.plot_link(with_trees(fit, fit.losses, None)), "plot_law"),
    ],
)
def test_an_unknown_name_is_answered_with_the_choices(
    ladder_fit: Fit, draw: Callable[[Fit], Axes], names: str
) -> None:
    with pytest.raises(SettingError, match=names):
        draw(ladder_fit)


class TestPictures:
    def test_lines_are_broken_before_dollars_are_escaped(self) -> None:
        assert literal("a plain title") == "a plain title"
        assert literal("abc$d", 3) == "abc\n\\$d"
        assert literal("\x1b") == r"\x1b"
