"""What a forecast rests on: the sections for the sceptical reader."""

from collections.abc import Iterator

from bayescale.fits.record import Fit
from bayescale.forecasts.record import Forecast
from bayescale.reports.elements import Section
from bayescale.reports.grounds import grounds
from helpers.backtests import written_backtest
from helpers.fits import with_trees


def test_a_fit_that_kept_no_prior_densities_is_told(default_fit: Fit, made: Forecast) -> None:
    single = default_fit.components[default_fit.heaviest]
    old = single.losses.copy()
    del old["log_prior"]
    sections = grounds(with_trees(single, old, single.accuracies), made, None)
    missing = titled("Which priors the forecast leans on", sections).missing
    assert missing.startswith("The sensitivity could not be computed")
    assert "densities of its priors" in missing


def test_a_backtest_is_told_in_words(default_fit: Fit, made: Forecast) -> None:
    backtest = written_backtest()
    section = next(grounds(default_fit, made, backtest))
    assert "cut at 2 values of training compute" in section.texts[0]
    assert "(6 cases)" in section.texts[0]
    assert not section.missing


def test_the_checks_that_did_not_pass_are_listed(default_fit: Fit, made: Forecast) -> None:
    sections = grounds(default_fit, made, None)
    section = titled("Checks of the sampler and the design", sections)
    failed = [check.check for check in default_fit.checks if check.status != "pass"]
    assert len(section.points) == len(failed)
    assert all(point.startswith(name) for point, name in zip(section.points, failed, strict=True))


def titled(title: str, sections: Iterator[Section]) -> Section:
    """The section of that title; those after it are not made."""
    return next(section for section in sections if section.title == title)
