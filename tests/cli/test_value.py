"""The command `value`: the library's figures, as JSON and as a table; bad input before sampling."""

from pathlib import Path

import pytest

from bayescale.data.target import Target
from bayescale.decisions.candidate import Candidate
from bayescale.decisions.cost import Cost
from bayescale.decisions.evidence import value_of_information
from bayescale.decisions.value import Threshold
from bayescale.errors import SettingError
from bayescale.fits.record import Fit
from bayescale.forecasts.design import propose_runs
from helpers.command import parse, run_here

ASKED = ["--worth", "3e6", "--threshold", "0.7", "--candidates", "6e8:5e11"]


@pytest.mark.usefixtures("no_sampling")
class TestValue:
    def test_figures_are_those_of_the_library(self, saved: Path, default_fit: Fit) -> None:
        outcome = run_here("value", "--fit", saved, *ASKED, "--json")
        answer = parse(outcome.out)
        run = Target(6e8, 5e11)
        evidence = value_of_information(
            default_fit,
            default_fit.ladder.targets("target", "link"),
            [Candidate([run], name=run.label)],
            cost=Cost("H100", (0.3, 0.45), (2.0, 3.0)),
            value=Threshold(3e6, 0.7),
        )
        assert outcome.status == (1 if evidence.status == "fail" else 0)
        assert answer["best"] == (evidence.best and evidence.best["candidate"])
        (row,) = answer["rows"]
        for name in ("cost", "evsi", "evpi", "net", "narrowing"):
            assert row[name] == pytest.approx(float(evidence.table[name].iloc[0]))

    @pytest.mark.slow
    def test_as_a_table(self, saved: Path) -> None:
        out = " ".join(run_here("value", "--fit", saved, *ASKED).out.split())
        for words in (
            "asked: value 3,000,000 if the mean accuracy of all tasks reaches 70 %",
            "evsi is the expected value of its information",
            "6e+08 params, 5e+11 tokens",
        ):
            assert words in out

    def test_without_candidates_it_proposes_the_runs_that_tell_most(
        self, saved: Path, default_fit: Fit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[Target] = []

        def stop(_: Fit, __: object, candidates: list[Candidate], **___: object) -> None:
            asked.extend(run for candidate in candidates for run in candidate.runs)
            raise SettingError("value", rule="was asked", got="candidates", way_out="stop here")

        monkeypatch.setattr("bayescale.cli.decision_options.value_of_information", stop)
        words = ["--worth", "3e6", "--threshold", "0.7", "--targets", "7B-4T", "--json"]
        assert "stop here" in run_here("value", "--fit", saved, *words).err
        target = [t for t in default_fit.ladder.targets("target") if t.label == "7B-4T"]
        assert asked == propose_runs(default_fit.ladder, target)

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["--worth", "3e6", "--cost", "1e5"], "--candidates: must be one or more, each with"),
            (["--candidates", "chess"], "params:tokens or runs of the table"),
            (["--dataset", "gadre2024"], "needs --worth and --threshold"),
        ],
    )
    def test_bad_input(self, words: list[str], expected: str) -> None:
        outcome = run_here("value", *words)
        assert (outcome.status, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert expected in outcome.err
