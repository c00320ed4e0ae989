"""One value for each stage of a fit."""

from bayescale.models.stages import Stages


def test_stages_have_names_in_their_order() -> None:
    assert Stages("law", "link").named() == [("loss", "law"), ("accuracy", "link")]


def test_a_fit_of_losses_alone_has_one_stage() -> None:
    assert Stages("law").named() == [("loss", "law")]
    assert Stages(0.0, 0.0).named() == [("loss", 0.0), ("accuracy", 0.0)], "0 is a value too"
