"""What a fit is asked for: every choice is checked, and its default is the ladder's own."""

import pytest

from bayescale.data.datasets import load_dataset
from bayescale.errors import BayescaleError, SettingError
from bayescale.fits.fit import fit
from helpers.fits import small


class TestForecastRefuses:
    @pytest.mark.parametrize(
        ("settings", "error"),
        [
            ({"law": "kaplan"}, SettingError),
            ({"link": "probit"}, SettingError),
            ({"via": "pile"}, SettingError),
            ({"pooling": "some"}, SettingError),
            ({"noise": "cauchy"}, SettingError),
            ({"priors": {"alfa": None}}, SettingError),
            ({"priors": {"gamma": 0.3}}, SettingError),
            ({"chains": 0}, SettingError),
            ({"draws": 2.5}, SettingError),
            ({"seed": -1}, SettingError),
        ],
        ids=str,
    )
    def test_fit_settings(self, settings: dict[str, object], error: type[BayescaleError]) -> None:
        with pytest.raises(error):
            fit(small(), **settings)  # type: ignore[arg-type]


class TestFit:
    def test_rivals_are_refused(self) -> None:
        with pytest.raises(SettingError, match="calibrated, prior, none"):
            fit(load_dataset("ladder2024"), discrepancy="some")  # type: ignore[arg-type]
