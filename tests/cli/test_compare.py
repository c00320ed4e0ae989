"""The command `compare`: the library's figures; bad input before any sampling."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bayescale.data.target import Target
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from helpers.command import parse, run_here


@pytest.mark.usefixtures("no_sampling")
class TestCompare:
    def test_the_two_targets_of_the_ladder_by_default(self, saved: Path, default_fit: Fit) -> None:
        outcome = run_here("compare", "--fit", saved, "--json", "--prob", "0.5")
        answer = parse(outcome.out)
        assert outcome.status == (1 if default_fit.status == "fail" else 0)
        assert (answer["a"], answer["b"]) == ("7B-4T", "13B-5T")
        table = forecast(default_fit, default_fit.ladder.targets("target")).compare(
            "7B-4T", "13B-5T", 0.5
        )
        shown = pd.DataFrame(answer["rows"])
        pd.testing.assert_frame_equal(shown, table, rtol=1e-6, atol=1e-9, check_dtype=False)

    @pytest.mark.slow
    def test_runs_by_size_and_by_name_as_a_table(self, saved: Path) -> None:
        outcome = run_here("compare", "--fit", saved, "--a", "13B-5T", "--b", "1e9:2e10")
        assert "a: 13B-5T; b: 1e9:2e10" in outcome.out
        rows = [
            [cell.strip() for cell in line.split("│")[1:-1]]
            for line in outcome.out.splitlines()
            if line.count("│") == 5
        ]
        loss = next(row for row in rows if row[:2] == ["c4", "loss"])
        assert loss[2] == "1.000", "13B on 5T tokens has the lower loss"
        assert loss[3].startswith("-"), "a - b"

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["--a", "7B-4T"], "--b: must be a run of the table, params:tokens"),
            (["--a", "7B-4T", "--b", "99B"], "got '99B'"),
            (["--a", "7B-4T", "--b", "7B-4T"], "must be two runs"),
            (["--a", "1e9:-2", "--b", "7B-4T"], "tokens of the target"),
            (["--a", "1e9:1e11:pile", "--b", "7B-4T"], "must be a corpus of the ladder"),
            (["--prob", "2"], "between 0 and 1"),
            (["--dataset", "gadre2024"], "does not have two of role target"),
        ],
    )
    def test_bad_input(self, words: list[str], expected: str) -> None:
        outcome = run_here("compare", *words)
        assert (outcome.status, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert expected in outcome.err


def test_one_size_on_two_corpora_has_two_names(
    gadre_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bayescale.cli.options.fit", lambda *_, **__: gadre_fit)
    words = ["--dataset", "gadre2024", "--a", "7e9:1e12:c4", "--b", "7e9:1e12:refinedweb"]
    answer = parse(run_here("compare", *words, "--json").out)
    assert (answer["a"], answer["b"]) == ("7e9:1e12:c4", "7e9:1e12:refinedweb")
    pair = [
        replace(Target(7e9, 1e12, corpus=corpus), name=f"7e9:1e12:{corpus}")
        for corpus in ("c4", "refinedweb")
    ]
    table = forecast(gadre_fit, pair).compare(pair[0].label, pair[1].label)
    assert [row["mean"] for row in answer["rows"]] == pytest.approx(list(table["mean"]))
