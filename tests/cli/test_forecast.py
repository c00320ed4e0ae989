"""The command `forecast` as a person uses it: what it prints, writes, and its exit status."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import bayescale
from bayescale.cli import forecast as command
from bayescale.cli.outputs import draw_forecast
from bayescale.data.target import Target
from bayescale.fits.load import load_fit
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.record import Forecast
from helpers.command import (
    CHOICES,
    Files,
    Outcome,
    Written,
    parse,
    run_here,
    run_in_process,
    run_table,
)

NOTE = "Intervals allow for errors of law and link, whose sd was learned with the rest: law of "


def figures(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer without what differs between two runs of the same command."""
    kept = {k: v for k, v in answer.items() if k not in ("seconds", "peak_memory_mb")}
    return {
        **kept,
        "sampler": {k: v for k, v in kept["sampler"].items() if k not in ("seconds", "steps")},
    }


@pytest.fixture(scope="module")
def full(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Every option at once, and draws enough to pass the checks."""
    folder = tmp_path_factory.mktemp("out")
    outputs = ["--csv", folder / "f.csv", "--plot", folder / "f.png", "--save", folder / "f.fit"]
    options = [
        "--corpus",
        "code",
        "--targets",
        "target, web-9,code-9",
        "--prob",
        0.5,
        "--seed",
        3,
        "--draws",
        1200,
    ]
    started = time.monotonic()
    outcome = run_in_process(
        "forecast", files.runs, "--tasks", files.tasks, *CHOICES, *options, "--json", *outputs
    )
    return Written(outcome, folder, time.monotonic() - started)


@pytest.fixture(scope="module")
def answer(full: Written) -> dict[str, Any]:
    return parse(full.outcome.out)


@pytest.fixture(scope="module")
def fitted(full: Written) -> Fit:
    return load_fit(full.folder / "f.fit")


@pytest.fixture(scope="module")
def predicted(fitted: Fit) -> Forecast:
    """The forecast by the library of the targets that the command was given."""
    wanted = [t for t in fitted.ladder.targets("target", "held_out") if t.corpus == "code"]
    return forecast(fitted, wanted, seed=3)


@pytest.fixture(scope="module")
def printed(files: Files) -> Outcome:
    """A run too short for the checks, of a target given by its size, printed as tables."""
    options = ["--params", 7e9, "--tokens", 1e12, "--corpus", "web", "--draws", 20]
    return run_here("forecast", files.runs, "--tasks", files.tasks, *CHOICES, *options)


class TestForecastAsJson:
    def test_passed_checks_exit_with_0_and_leave_stderr_empty(
        self, full: Written, answer: dict[str, Any]
    ) -> None:
        assert answer["diagnostics"]["status"] == "pass"
        assert (full.outcome.status, full.outcome.err) == (0, "")

    def test_its_parts(self, answer: dict[str, Any]) -> None:
        assert set(answer) == {
            "targets",
            "prob",
            "note",
            "ladder_notes",
            "discrepancy",
            "weights",
            "diagnostics",
            "sampler",
            "seconds",
            "peak_memory_mb",
            "versions",
        }
        for target in answer["targets"]:
            assert {"name", "params", "tokens", "corpus", "extrapolation_factor", "tasks"} <= set(
                target
            )
            for cell in target["tasks"]:
                assert {"task", "loss_name", "via", "loss", "accuracy", "actual"} <= set(cell)
                for quantity in ("loss", "accuracy"):
                    assert {"median", "lower", "upper", "sd"} <= set(cell[quantity])
        assert {"status", "max_rhat", "min_ess_bulk", "divergences"} <= set(answer["diagnostics"])
        assert {"leapfrog_steps", "seconds"} <= set(answer["sampler"])
        assert set(answer["versions"]) == {
            "bayescale",
            "jax",
            "numpyro",
            "arviz",
            "numpy",
            "python",
        }

    def test_targets_are_the_named_ones_of_the_corpus(self, answer: dict[str, Any]) -> None:
        targets = {t["name"]: (t["params"], t["tokens"], t["corpus"]) for t in answer["targets"]}
        assert targets == {"code-8": (7e9, 1e12, "code"), "code-9": (3e9, 1e11, "code")}

    def test_tasks_have_accuracies_and_declared_series_losses_alone(
        self, answer: dict[str, Any]
    ) -> None:
        for target in answer["targets"]:
            assert [c["task"] for c in target["tasks"]] == ["piqa", "mmlu"]
            assert [(c["task"], c["via"], "accuracy" in c) for c in target["losses"]] == [
                ("c4", None, False)
            ]

    def test_tasks_keep_their_own_loss_and_are_linked_via_another(
        self, answer: dict[str, Any]
    ) -> None:
        assert {(c["loss_name"], c["via"]) for t in answer["targets"] for c in t["tasks"]} == {
            ("piqa", "c4"),
            ("mmlu", "c4"),
        }

    def test_actual_figures_are_those_of_the_table(self, answer: dict[str, Any]) -> None:
        table = run_table().set_index(["run", "task"])
        for target in answer["targets"]:
            for cell in target["tasks"] + target["losses"]:
                row = table.loc[(target["name"], cell["task"])]
                assert cell["actual"]["loss"] == pytest.approx(row["loss"], rel=1e-12)
                assert cell["actual"]["accuracy"] == (
                    None if np.isnan(row["accuracy"]) else pytest.approx(row["accuracy"], rel=1e-12)
                )

    def test_a_target_that_is_not_in_the_table_has_no_actual_figures(self, fitted: Fit) -> None:
        cells = command.forecast_json(
            fitted, forecast(fitted, Target(7e9, 1e12, corpus="web")), 0.9
        )["targets"][0]["tasks"]
        assert [c["actual"] for c in cells] == [None, None]

    def test_figures_are_those_of_the_library_with_the_same_seed_and_probability(
        self, answer: dict[str, Any], predicted: Forecast
    ) -> None:
        assert answer["prob"] == 0.5
        for target in answer["targets"]:
            for cell in target["tasks"] + target["losses"]:
                for quantity in {"loss", "accuracy"} & set(cell):
                    draws = np.ravel(
                        predicted.draws[quantity].sel(target=target["name"], task=cell["task"])
                    )
                    lower, median, upper = np.quantile(draws, [0.25, 0.5, 0.75])
                    wanted = {
                        "median": median,
                        "lower": lower,
                        "upper": upper,
                        "sd": draws.std(),
                        "mean": draws.mean(),
                    }
                    assert cell[quantity] == pytest.approx(wanted, rel=1e-9)

    def test_extrapolation_factor_is_compute_over_the_largest_fitted_compute(
        self, answer: dict[str, Any]
    ) -> None:
        factors = {t["name"]: t["extrapolation_factor"] for t in answer["targets"]}
        assert factors == pytest.approx(
            {"code-8": 7e9 * 1e12 / (8e8 * 1e11), "code-9": 3e9 * 1e11 / (8e8 * 1e11)}
        )

    def test_diagnostics_are_those_of_the_fit(self, answer: dict[str, Any], fitted: Fit) -> None:
        table = fitted.diagnostics().set_index("check")["value"]
        diagnostics = answer["diagnostics"]
        assert diagnostics["max_rhat"] == pytest.approx(
            table[["loss: R-hat", "accuracy: R-hat"]].max()
        )
        assert diagnostics["min_ess_bulk"] == pytest.approx(
            table[["loss: bulk ESS", "accuracy: bulk ESS"]].min()
        )
        assert (
            diagnostics["divergences"]
            == table[["loss: divergences", "accuracy: divergences"]].sum()
        )
        assert [row["check"] for row in diagnostics["checks"]] == list(table.index)

    def test_seconds_and_memory_are_those_of_the_process(
        self, full: Written, answer: dict[str, Any]
    ) -> None:
        assert 0 < answer["sampler"]["seconds"] < answer["seconds"] <= full.seconds + 0.1
        assert answer["seconds"] > 0.5 * full.seconds, "starting Python and importing count too"
        assert 100 < answer["peak_memory_mb"] < 10_000

    def test_it_says_what_intervals_allow_for(self, answer: dict[str, Any]) -> None:
        assert answer["note"].startswith(NOTE)


class TestForecastWrites:
    def test_nothing_but_the_files_asked_for(self, full: Written) -> None:
        assert sorted(p.name for p in full.folder.iterdir()) == ["f.csv", "f.fit", "f.png"]

    def test_the_table(self, full: Written, predicted: Forecast) -> None:
        table = pd.read_csv(full.folder / "f.csv")
        about = ["prob", "status", "extrapolation_factor"]
        pd.testing.assert_frame_equal(
            table.drop(columns=about), predicted.to_frame(0.5), rtol=1e-9, check_dtype=False
        )
        assert set(table["status"]) == {"pass"}
        assert set(table["prob"]) == {0.5}
        factors = predicted.extrapolation.set_index("target")["extrapolation_factor"]
        assert table["extrapolation_factor"].to_numpy() == pytest.approx(
            factors[table["target"]].to_numpy()
        )

    def test_the_picture(self, full: Written) -> None:
        content = (full.folder / "f.png").read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        assert content.endswith(b"IEND\xaeB`\x82")

    @pytest.mark.parametrize(("name", "begins"), [("f.svg", b"<?xml"), ("f.pdf", b"%PDF")])
    def test_pictures_of_other_kinds(
        self, fitted: Fit, predicted: Forecast, tmp_path: Path, name: str, begins: bytes
    ) -> None:
        draw_forecast(fitted, predicted, tmp_path / name, 0.9)
        assert (tmp_path / name).read_bytes().startswith(begins)

    def test_the_fit_with_every_choice(self, fitted: Fit, files: Files) -> None:
        assert fitted.link is not None
        assert (fitted.law.name, fitted.link.name, fitted.via, fitted.pooling) == (
            "compute",
            "exponential",
            "c4",
            "complete",
        )
        assert (fitted.sampler.chains, fitted.sampler.draws, fitted.sampler.seed) == (2, 1200, 3)
        assert fitted.ladder == bayescale.read_csv(files.runs, tasks=files.tasks)


def of_losses(path: Path, seed: int) -> Outcome:
    options = ["--law", "compute", "--pooling", "complete", "--chains", 2, "--draws", 20]
    return run_here("forecast", path, *options, "--json", "--seed", seed)


@pytest.fixture(scope="module")
def losses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table without accuracies."""
    path = tmp_path_factory.mktemp("losses") / "losses.csv"
    run_table().drop(columns="accuracy").to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def losses_alone(losses: Path) -> Outcome:
    """Of too few draws, with seed 3."""
    return of_losses(losses, 3)


@pytest.mark.slow
class TestForecastOfLossesAlone:
    def test_failed_checks_exit_with_1_and_the_json_is_still_whole(
        self, losses_alone: Outcome
    ) -> None:
        assert losses_alone.status == 1
        assert parse(losses_alone.out)["diagnostics"]["status"] == "fail"

    def test_it_has_losses_of_the_targets_of_the_table_and_nothing_more(
        self, losses_alone: Outcome
    ) -> None:
        answer = parse(losses_alone.out)
        assert [t["name"] for t in answer["targets"]] == ["code-8", "web-8"]
        for target in answer["targets"]:
            assert target["tasks"] == []
            assert [(c["task"], "accuracy" in c) for c in target["losses"]] == [
                ("c4", False),
                ("piqa", False),
                ("mmlu", False),
            ]
        assert set(answer["sampler"]["steps"]) == {"loss"}

    def test_same_seed_same_figures_and_another_seed_others(
        self, losses: Path, losses_alone: Outcome
    ) -> None:
        once = parse(losses_alone.out)
        again, other = (parse(of_losses(losses, seed).out) for seed in (3, 4))
        assert figures(once) == figures(again)
        medians = [
            [c["loss"]["median"] for t in answer["targets"] for c in t["losses"]]
            for answer in (once, other)
        ]
        assert len(medians[0]) == len(medians[1]) == 6
        assert not set(medians[0]) & set(medians[1])


class TestForecastPrinted:
    def test_failed_checks_exit_with_1_and_are_named(self, printed: Outcome) -> None:
        assert printed.status == 1
        assert "checks of the fit: fail (" in printed.out
        row = next(line for line in printed.out.splitlines() if "loss: bulk ESS" in line)
        assert "fail" in row
        assert "too few effective draws" in row

    def test_stderr_stays_empty_where_it_is_no_terminal(self, printed: Outcome) -> None:
        assert printed.err == ""

    def test_one_sentence_says_what_intervals_allow_for(self, printed: Outcome) -> None:
        assert " ".join(printed.out.split()).count(NOTE) == 1

    def test_the_target_its_distance_and_its_tasks(self, printed: Outcome) -> None:
        title = " ".join(printed.out.split("┏")[0].split())
        assert title == "7e+09 params, 1e+12 tokens, web; 87.5 x the largest fitted compute"
        rows = [
            [cell.strip() for cell in line.split("│")[1:-1]]
            for line in printed.out.split("└")[0].splitlines()
            if line.count("│") == 6
        ]
        assert [(row[0], row[3]) for row in rows] == [("piqa", "c4"), ("mmlu", "c4"), ("c4", "")]
        assert [bool(row[4]) for row in rows] == [True, True, False]
        assert "loss (90 %)" in printed.out
        assert "actual" not in printed.out, "the run is not trained yet"

    def test_weights_of_a_mixture_and_what_they_rest_on(self) -> None:
        component = {"link": "logistic", "via": "c4", "sd": 0.1, "runs": 9}
        weights = {"skaling": 0.4, "gadre": 0.6}
        rows = [component | {"law": law, "weight": weight} for law, weight in weights.items()]
        said = command.mixture_text(pd.DataFrame(rows))
        assert said.startswith("Mixture, weighted by how well each component predicts each larger ")
        assert "(9 runs): skaling, logistic via c4: 0.40 (sd 0.10), gadre, logistic " in said

    def test_actual_figures_stand_beside_and_a_star_marks_what_the_link_saw(
        self, fitted: Fit, capsys: pytest.CaptureFixture[str]
    ) -> None:
        seen, unseen = (
            next(t for t in fitted.ladder.targets("fit", "target") if t.name == name)
            for name in ("web-7", "web-8")
        )
        accuracy = run_table().set_index(["run", "task"])["accuracy"]
        for target, star in ((seen, "*"), (unseen, "")):
            command.print_forecast(
                Console(width=150), fitted, forecast(fitted, target), 0.9, seconds=1.0
            )
            out = capsys.readouterr().out
            row = next(line for line in out.splitlines() if line.startswith("│ mmlu"))
            assert row.split("│")[5].strip() == f"{100 * accuracy[target.label, 'mmlu']:.1f}{star}"
            assert row.split("│")[3].strip().endswith("*") == bool(star)
            assert ("* fitted: " in out) == bool(star)


BAD = {
    "probability": (["--prob", "1.2"], ["prob", "between 0 and 1", "1.2"]),
    "missing file": (["nowhere.csv"], ["'nowhere.csv'", "must exist"]),
    "data set": (["--dataset", "pile"], ["'pile'", "ladder2024, gadre2024"]),
    "law": (["--law", "kaplan"], ["law", "'kaplan'", "chinchilla, gadre, compute"]),
    "link": (["--link", "probit"], ["link", "'probit'", "logistic, exponential"]),
    "via": (
        ["--via", "pile"],
        ["via", "'pile'", "must be a loss of the runs that have accuracies"],
    ),
    "pooling": (["--pooling", "some"], ["pooling", "'some'", "partial, none, complete"]),
    "no reruns": (
        ["--dataset", "gadre2024", "--with-reruns"],
        ["reruns", "must be held-out runs", "none"],
    ),
    "params alone": (["--params", "7e9"], ["both --params and --tokens"]),
    "tokens alone": (["--tokens", "1e12"], ["both --params and --tokens"]),
    "corpus": (["--corpus", "web"], ["--corpus", "'web'", "olmo-mix"]),
    "no corpus": (
        ["--dataset", "gadre2024", "--params", "7e9", "--tokens", "1e12"],
        ["--corpus", "c4, redpajama, refinedweb"],
    ),
    "target": (["--targets", "target,99B"], ["--targets", "'99B'", "run names"]),
    "no target of that role": (["--targets", "link"], ["the targets", "must be given"]),
    "size": (["--params", "-7e9", "--tokens", "1e12"], ["params of the target", "-7000000000.0"]),
    "kind of picture": (["--plot", "x.gif"], ["--plot", "'x.gif'", ".png, .svg, .pdf"]),
    "folder of the table": (
        ["--csv", "nowhere/x.csv"],
        ["'nowhere/x.csv'", "in a folder that exists"],
    ),
    "folder of the picture": (
        ["--plot", "nowhere/x.png"],
        ["'nowhere/x.png'", "in a folder that exists"],
    ),
    "folder of the fit": (
        ["--save", "nowhere/x.fit"],
        ["'nowhere/x.fit'", "in a folder that exists"],
    ),
    "a folder for a file": (["--csv", "."], ["'.'", "file"]),
    "tasks of no table": (
        ["--tasks", "tasks.csv"],
        ["--tasks", "describes a run table", "name the run table"],
    ),
    "chains": (["--chains", "0"], ["chains", "1 or more", "got 0"]),
    "draws": (["--draws", "0"], ["draws", "1 or more", "got 0"]),
    "seed": (["--seed", "-1"], ["seed", "0 or more", "got -1"]),
    "a word for a number": (["--prob", "most"], ["--prob", "number"]),
    "unknown option": (["--probability", "0.9"], ["--probability"]),
}


class TestBadInput:
    @pytest.mark.parametrize(("words", "expected"), BAD.values(), ids=BAD)
    def test_is_one_line_on_stderr_and_status_2_before_any_sampling(
        self, words: list[str], expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def sample(*_: object) -> None:
            raise AssertionError("it sampled first")

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("bayescale.fits.fit.sample_stages", sample)
        outcome = run_here("forecast", *words)
        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.err.count("\n") == 1, "one line"
        assert outcome.err.endswith("\n")
        for word in expected:
            assert word in outcome.err
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.slow
    def test_in_a_process_of_its_own(self, tmp_path: Path) -> None:
        path = tmp_path / "nowhere.csv"
        assert run_in_process("forecast", path) == Outcome(
            2, "", f"bayescale: file {str(path)!r}: must exist; got nothing there; check the path\n"
        )
