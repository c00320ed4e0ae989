"""Errors: one form for every message, and what each kind is."""

import pytest

from bayescale.errors import BayescaleError, DataError, FileError, FitError, SettingError

KINDS = [DataError, SettingError, FileError, FitError]


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_says_what_the_rule_the_value_and_the_way_out(kind: type[BayescaleError]) -> None:
    error = kind("prob", rule="must lie between 0 and 1", got=1.2, way_out="such as 0.9")
    assert str(error) == "prob: must lie between 0 and 1; got 1.2; such as 0.9"
    assert (error.what, error.rule) == ("prob", "must lie between 0 and 1")
    assert (error.got, error.way_out) == ("1.2", "such as 0.9")


@pytest.mark.parametrize("kind", KINDS)
def test_one_except_clause_catches_every_kind(kind: type[BayescaleError]) -> None:
    with pytest.raises(BayescaleError, match="must hold"):
        raise kind("a thing", rule="must hold", got="nothing", way_out="look again")


def test_bad_data_and_bad_settings_are_value_errors_and_bad_files_are_not() -> None:
    assert [kind for kind in KINDS if issubclass(kind, ValueError)] == [DataError, SettingError]
