"""What a fit is asked for: every choice is checked, and its default is the ladder's own."""

import pytest

from bayescale.data.datasets import load_dataset
from bayescale.errors import BayescaleError, SettingError
from bayescale.fits.fit import fit
from bayescale.fits.settings import make_settings
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
        with pytest.raises(SettingError, match="calibrated, none"):
            fit(load_dataset("ladder2024"), discrepancy="prior")  # type: ignore[arg-type]
        with pytest.raises(SettingError, match="noise: must be normal where the law has a disc"):
            fit(load_dataset("ladder2024"), noise="student_t")


class TestRoute:
    def test_auto_is_the_loss_of_running_text_that_all_tasks_have(self) -> None:
        asked = {"discrepancy": "calibrated", "pooling": "partial", "noise": "normal"}
        more = {"law": None, "link": None, "blocks": None, "priors": None}
        ladder = load_dataset("ladder2024")
        for via, wanted in (("auto", "c4"), (None, None), ("mmlu", "mmlu")):
            settings = make_settings(ladder, via=via, **asked, **more)  # type: ignore[arg-type]
            assert settings.route(ladder) == wanted
        settings = make_settings(small(), via="auto", **asked, **more)  # type: ignore[arg-type]
        assert settings.route(small()) is None, "it has no such loss"
