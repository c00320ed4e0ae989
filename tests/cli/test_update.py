"""The command `update`: how new runs move a forecast; bad input before sampling."""

from pathlib import Path

import pandas as pd
import pytest

from bayescale.fits.load import load_fit
from bayescale.fits.record import Fit
from bayescale.forecasts.update import update
from helpers.command import parse, run_here


@pytest.fixture(scope="module")
def new_runs(default_fit: Fit) -> pd.DataFrame:
    """A rerun of the ladder's largest run whose losses are 1 % lower; no role is stated."""
    rows = default_fit.ladder.where(run="1B-10xC").frame.drop(columns="role")
    return rows.assign(run="1B-new", loss=0.99 * rows["loss"])


@pytest.fixture
def new(new_runs: pd.DataFrame, tmp_path: Path) -> Path:
    new_runs.to_csv(tmp_path / "new.csv", index=False)
    return tmp_path / "new.csv"


class TestUpdate:
    @pytest.mark.slow
    def test_moves_are_those_of_the_library_and_the_new_fit_is_saved(
        self, saved: Path, default_fit: Fit, new: Path, new_runs: pd.DataFrame, tmp_path: Path
    ) -> None:
        words = ["--fit", saved, "--new", new, "--json", "--save", tmp_path / "newer.fit"]
        outcome = run_here("update", *words, "--targets", "7B-4T")
        answer = parse(outcome.out)
        wanted = update(default_fit, new_runs, targets=default_fit.ladder.targets()[:1])
        assert outcome.status == (1 if wanted.fit.status == "fail" else 0)
        assert answer["new_runs"] == ["1B-new"]
        assert {row["target"] for row in answer["rows"]} == {"7B-4T"}
        for name in ("median", "median_before", "width", "shift"):
            assert [row[name] for row in answer["rows"]] == pytest.approx(list(wanted.moved[name]))
        assert "1B-new" in load_fit(tmp_path / "newer.fit").ladder.runs.index

    @pytest.mark.slow
    def test_as_tables(self, saved: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The draws are those of before: what matters here is what is printed."""
        monkeypatch.setattr(
            "bayescale.forecasts.update.fit_many",
            lambda settings, sampler, ladders, **_: iter([load_fit(saved)]),
        )
        out = run_here("update", "--fit", saved, "--new", new).out
        assert "7B-4T; accuracies in percent" in out
        assert "13B-5T; accuracies in percent" in out
        assert "width, after / before" in out


@pytest.mark.usefixtures("no_sampling")
class TestBadInput:
    def test_is_told_before_any_sampling(self, new: Path, tmp_path: Path) -> None:
        known = tmp_path / "known.csv"
        pd.read_csv(new).assign(run="1B-10xC").to_csv(known, index=False)
        held_out = tmp_path / "held_out.csv"
        pd.read_csv(new).assign(role="held_out").to_csv(held_out, index=False)
        for words, expected in (
            ([], "--new"),
            (["--new", tmp_path / "nowhere.csv"], "must exist"),
            (["--new", known], "must have names that the ladder lacks"),
            (["--new", held_out], "must have a run of role fit or link"),
            (["--new", new, "--law", "auto"], "is a mixture"),
            (["--new", new, "--targets", "99B"], "got '99B'"),
            (["--new", new, "--save", tmp_path / "no" / "a.fit"], "in a folder that exists"),
        ):
            outcome = run_here("update", *words)
            assert (outcome.status, outcome.out, outcome.err.count("\n")) == (2, "", 1)
            assert expected in outcome.err
