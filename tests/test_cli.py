"""The command line as a person uses it: what it prints, what it writes, and the exit status that a
script goes by.
"""

import io
import json
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import bayescale
from bayescale import cli
from bayescale.cli import forecast as command
from bayescale.data.target import Target
from bayescale.fits.fit import Fit
from bayescale.fits.load import load_fit
from bayescale.forecasts.forecast import Forecast, forecast

SIZES = [
    (1e7, 2e8),
    (1e7, 2e9),
    (5e7, 1e9),
    (5e7, 1e10),
    (2e8, 4e9),
    (2e8, 4e10),
    (8e8, 2e10),
    (8e8, 1e11),
]
TASKS = {"piqa": (0.5, 1838, 0.5), "mmlu": (0.25, 2000, 0.6)}
CHOICES = [
    "--law",
    "compute",
    "--link",
    "exponential",
    "--via",
    "c4",
    "--pooling",
    "complete",
    "--chains",
    "2",
]
NOTE = (
    "Intervals allow for errors of law and link that grow with compute beyond the ladder "
    "(validation losses, task losses, link: the prior of small ladders, since no series has more than 8 runs, fewer than 12)."
)


class Told(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


class Files(NamedTuple):
    runs: Path
    tasks: Path


class Full(NamedTuple):
    """The one long run: what it told, the folder that it wrote to, and the seconds that it took by
    the clock on the wall.
    """

    told: Told
    folder: Path
    seconds: float


def run_table() -> pd.DataFrame:
    """Eight runs on each of two corpora around L = 1.8 + 1.2 (C / 1e18)^-0.15, a target and a
    held-out run; C4 is declared without accuracies.
    """
    rng, rows = np.random.default_rng(5), []
    for corpus, level in (("web", 1.0), ("code", 1.05)):
        for i, (n, d, role) in enumerate(
            [*((n, d, "fit") for n, d in SIZES), (7e9, 1e12, "target"), (3e9, 1e11, "held_out")]
        ):
            own = {"run": f"{corpus}-{i}", "corpus": corpus, "params": n, "tokens": d, "role": role}
            curve = level * (1.8 + 1.2 * (6 * n * d / 1e18) ** -0.15)
            c4 = curve * np.exp(0.01 * rng.normal())
            rows.append({**own, "task": "c4", "loss": c4})
            for task, (chance, items, share) in TASKS.items():
                p = min(0.95, chance + (1 - chance) * 0.5 * np.exp(-2.2 * (c4 - 2.3)))
                rows.append(
                    {
                        **own,
                        "task": task,
                        "loss": share * curve * np.exp(0.01 * rng.normal()),
                        "accuracy": rng.binomial(items, p) / items,
                    }
                )
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("mine")
    run_table().to_csv(folder / "runs.csv", index=False)
    (folder / "tasks.csv").write_text(
        "task,chance,items\n"
        + "".join(f"{t},{chance},{items}\n" for t, (chance, items, _) in TASKS.items())
    )
    return Files(folder / "runs.csv", folder / "tasks.csv")


def in_a_process(*words: object) -> Told:
    done = subprocess.run(
        [sys.executable, "-m", "bayescale", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Told(done.returncode, done.stdout, done.stderr)


def here(*words: object) -> Told:
    """The command in this process: no seconds go into starting another."""
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as err,
    ):
        patch.setattr(sys, "argv", ["bayescale", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            cli.main()
    return Told(int(left.value.code or 0), out.getvalue(), err.getvalue())


def parse(text: str) -> dict[str, Any]:
    """JSON by the letter: neither NaN nor Infinity, and nothing around it."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def figures(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer without what the machine's mood decides."""
    kept = {k: v for k, v in answer.items() if k not in ("seconds", "peak_memory_mb")}
    return {
        **kept,
        "sampler": {k: v for k, v in kept["sampler"].items() if k not in ("seconds", "steps")},
    }


@pytest.fixture(scope="module")
def full(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Full:
    """Every option at once, and draws enough to pass the checks."""
    folder = tmp_path_factory.mktemp("out")
    outputs = ["--csv", folder / "f.csv", "--plot", folder / "f.png", "--save", folder / "f.fit"]
    asked = [
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
    began = time.monotonic()
    told = in_a_process(
        "forecast", files.runs, "--tasks", files.tasks, *CHOICES, *asked, "--json", *outputs
    )
    return Full(told, folder, time.monotonic() - began)


@pytest.fixture(scope="module")
def answer(full: Full) -> dict[str, Any]:
    return parse(full.told.out)


@pytest.fixture(scope="module")
def fitted(full: Full) -> Fit:
    return load_fit(full.folder / "f.fit")


@pytest.fixture(scope="module")
def made(fitted: Fit) -> Forecast:
    """What the library says to what the command was asked."""
    wanted = [t for t in fitted.ladder.targets("target", "held_out") if t.corpus == "code"]
    return forecast(fitted, wanted, seed=3)


@pytest.fixture(scope="module")
def printed(files: Files) -> Told:
    """A run too short for the checks, of a target given by its size, printed as tables."""
    asked = ["--params", 7e9, "--tokens", 1e12, "--corpus", "web", "--draws", 20]
    return here("forecast", files.runs, "--tasks", files.tasks, *CHOICES, *asked)


class TestForecastAsJson:
    def test_passed_checks_exit_with_0_and_leave_stderr_empty(
        self, full: Full, answer: dict[str, Any]
    ) -> None:
        assert answer["diagnostics"]["status"] == "pass"
        assert (full.told.status, full.told.err) == (0, "")

    def test_its_parts(self, answer: dict[str, Any]) -> None:
        assert set(answer) == {
            "targets",
            "prob",
            "note",
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
        found = {t["name"]: (t["params"], t["tokens"], t["corpus"]) for t in answer["targets"]}
        assert found == {"code-8": (7e9, 1e12, "code"), "code-9": (3e9, 1e11, "code")}

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

    def test_a_target_that_nobody_has_run_has_no_actual_figures(self, fitted: Fit) -> None:
        cells = command.forecast_json(
            fitted, forecast(fitted, Target(7e9, 1e12, corpus="web")), 0.9
        )["targets"][0]["tasks"]
        assert [c["actual"] for c in cells] == [None, None]

    def test_figures_are_those_of_the_library_with_the_same_seed_and_probability(
        self, answer: dict[str, Any], made: Forecast
    ) -> None:
        assert answer["prob"] == 0.5
        for target in answer["targets"]:
            for cell in target["tasks"] + target["losses"]:
                for quantity in {"loss", "accuracy"} & set(cell):
                    draws = np.ravel(
                        made.draws[quantity].sel(target=target["name"], task=cell["task"])
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

    def test_extrapolation_factor_is_compute_over_the_dearest_fitted_run(
        self, answer: dict[str, Any]
    ) -> None:
        factors = {t["name"]: t["extrapolation_factor"] for t in answer["targets"]}
        assert factors == pytest.approx(
            {"code-8": 7e9 * 1e12 / (8e8 * 1e11), "code-9": 3e9 * 1e11 / (8e8 * 1e11)}
        )

    def test_diagnostics_are_those_of_the_fit(self, answer: dict[str, Any], fitted: Fit) -> None:
        table = fitted.diagnostics().set_index("check")["value"]
        found = answer["diagnostics"]
        assert found["max_rhat"] == pytest.approx(table[["loss: R-hat", "accuracy: R-hat"]].max())
        assert found["min_ess_bulk"] == pytest.approx(
            table[["loss: bulk ESS", "accuracy: bulk ESS"]].min()
        )
        assert found["divergences"] == table[["loss: divergences", "accuracy: divergences"]].sum()
        assert [row["check"] for row in found["checks"]] == list(table.index)

    def test_seconds_and_memory_are_those_of_the_process(
        self, full: Full, answer: dict[str, Any]
    ) -> None:
        assert 0 < answer["sampler"]["seconds"] < answer["seconds"] <= full.seconds + 0.1
        assert answer["seconds"] > 0.5 * full.seconds, "starting Python and importing count too"
        assert 100 < answer["peak_memory_mb"] < 10_000

    def test_it_says_what_intervals_allow_for(self, answer: dict[str, Any]) -> None:
        assert answer["note"] == NOTE


class TestForecastWrites:
    def test_nothing_but_the_files_asked_for(self, full: Full) -> None:
        assert sorted(p.name for p in full.folder.iterdir()) == ["f.csv", "f.fit", "f.png"]

    def test_the_table(self, full: Full, made: Forecast) -> None:
        table = pd.read_csv(full.folder / "f.csv")
        pd.testing.assert_frame_equal(
            table.drop(columns="status"), made.to_frame(0.5), rtol=1e-9, check_dtype=False
        )
        assert set(table["status"]) == {"pass"}

    def test_the_picture(self, full: Full) -> None:
        content = (full.folder / "f.png").read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        assert content.endswith(b"IEND\xaeB`\x82")

    @pytest.mark.parametrize(("name", "begins"), [("f.svg", b"<?xml"), ("f.pdf", b"%PDF")])
    def test_pictures_of_other_kinds(
        self, fitted: Fit, made: Forecast, tmp_path: Path, name: str, begins: bytes
    ) -> None:
        command.draw(fitted, made, tmp_path / name, 0.9)
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


@pytest.fixture(scope="module")
def tested(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Full:
    """A backtest at the default cuts, of which this ladder has one: all eight runs, the target and
    the held-out run beyond.
    """
    folder = tmp_path_factory.mktemp("backtest")
    asked = [
        "--tasks",
        files.tasks,
        *CHOICES,
        "--draws",
        60,
        "--csv",
        folder / "b.csv",
        "--plot",
        folder / "b.svg",
        "--json",
    ]
    began = time.perf_counter()
    return Full(here("backtest", files.runs, *asked), folder, time.perf_counter() - began)


class TestBacktest:
    def test_its_parts(self, tested: Full) -> None:
        answer = parse(tested.told.out)
        assert set(answer) == {
            "by",
            "status",
            "coverage",
            "scores",
            "folds",
            "cases",
            "seconds",
            "peak_memory_mb",
        }
        assert {row["model"] for row in answer["scores"]} == {
            "bayescale",
            "no discrepancy",
            "unpooled",
            "point fits",
            "largest run",
        }
        assert {
            (row["run"], row["quantity"], row["name"])
            for row in answer["cases"]
            if row["model"] == "bayescale"
        } == {
            (f"{corpus}-{i}", quantity, name)
            for corpus in ("web", "code")
            for i in (8, 9)
            for quantity, name in [
                ("loss", "c4"),
                ("loss", "piqa"),
                ("loss", "mmlu"),
                ("accuracy", "piqa"),
                ("accuracy", "mmlu"),
            ]
        }

    def test_failed_checks_of_a_fold_exit_with_1_and_are_named(self, tested: Full) -> None:
        answer = parse(tested.told.out)
        assert (tested.told.status, answer["status"]) == (1, "fail")
        assert any("ESS" in row["failed"] for row in answer["folds"] if row["model"] == "bayescale")

    def test_files(self, tested: Full) -> None:
        assert sorted(p.name for p in tested.folder.iterdir()) == ["b.csv", "b.svg"]
        assert len(pd.read_csv(tested.folder / "b.csv")) == len(parse(tested.told.out)["cases"])
        assert (tested.folder / "b.svg").read_bytes().startswith(b"<?xml")

    def test_printed(self, files: Files) -> None:
        told = here(
            "backtest",
            files.runs,
            "--tasks",
            files.tasks,
            *CHOICES,
            "--draws",
            60,
            "--cuts",
            "2e18,1e20",
            "--no-baselines",
        )
        assert told.status == 1
        assert "2 cuts of flops" in told.out
        assert "coverage by extrapolation factor" in told.out
        assert "fits with a check that failed" in told.out

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            (["--by", "days"], "must be one of flops, params, tokens"),
            (["--cuts", "1e30"], "both sides"),
            (["--cuts", "x"], "numbers"),
        ],
    )
    def test_bad_input_exits_with_2(self, files: Files, asked: list[str], said: str) -> None:
        told = here("backtest", files.runs, "--tasks", files.tasks, *asked)
        assert told.status == 2
        assert said in told.err


@pytest.fixture(scope="module")
def losses_alone(tmp_path_factory: pytest.TempPathFactory) -> list[Told]:
    """A table without accuracies, too few draws, and seeds 3, 3 and 4."""
    path = tmp_path_factory.mktemp("losses") / "losses.csv"
    run_table().drop(columns="accuracy").to_csv(path, index=False)
    return [
        here(
            "forecast",
            path,
            "--law",
            "compute",
            "--pooling",
            "complete",
            "--chains",
            2,
            "--draws",
            20,
            "--json",
            "--seed",
            s,
        )
        for s in (3, 3, 4)
    ]


class TestForecastOfLossesAlone:
    def test_failed_checks_exit_with_1_and_the_json_is_still_whole(
        self, losses_alone: list[Told]
    ) -> None:
        for told in losses_alone:
            assert told.status == 1
            assert parse(told.out)["diagnostics"]["status"] == "fail"

    def test_it_has_losses_of_the_targets_of_the_table_and_nothing_more(
        self, losses_alone: list[Told]
    ) -> None:
        answer = parse(losses_alone[0].out)
        assert [t["name"] for t in answer["targets"]] == ["code-8", "web-8"]
        for target in answer["targets"]:
            assert target["tasks"] == []
            assert [(c["task"], "accuracy" in c) for c in target["losses"]] == [
                ("c4", False),
                ("piqa", False),
                ("mmlu", False),
            ]
        assert set(answer["sampler"]["steps"]) == {"loss"}

    def test_same_seed_same_figures_and_another_seed_others(self, losses_alone: list[Told]) -> None:
        once, again, other = (parse(told.out) for told in losses_alone)
        assert figures(once) == figures(again)
        medians = [
            [c["loss"]["median"] for t in answer["targets"] for c in t["losses"]]
            for answer in (once, other)
        ]
        assert len(medians[0]) == len(medians[1]) == 6
        assert not set(medians[0]) & set(medians[1])


class TestForecastPrinted:
    def test_failed_checks_exit_with_1_and_are_named(self, printed: Told) -> None:
        assert printed.status == 1
        assert "checks: fail; " in printed.out
        row = next(line for line in printed.out.splitlines() if "loss: bulk ESS" in line)
        assert "fail" in row
        assert "too few effective draws" in row

    def test_stderr_stays_empty_where_nobody_watches(self, printed: Told) -> None:
        assert printed.err == ""

    def test_one_sentence_says_what_intervals_allow_for(self, printed: Told) -> None:
        assert " ".join(printed.out.split()).count(NOTE) == 1

    def test_the_target_its_distance_and_its_tasks(self, printed: Told) -> None:
        assert "7e+09 parameters, 1e+12 tokens, web; 87.5 x the largest fitted compute" in " ".join(
            printed.out.split()
        )
        rows = [
            [cell.strip() for cell in line.split("│")[1:-1]]
            for line in printed.out.splitlines()
            if line.count("│") == 8
        ]
        assert [(row[0], row[2], row[4], row[5]) for row in rows] == [
            ("piqa", "", "", "c4"),
            ("mmlu", "", "", "c4"),
            ("c4", "", "", ""),
        ]
        assert [bool(row[6]) for row in rows] == [True, True, False]
        assert "loss (90 %)" in printed.out

    def test_weights_of_a_mixture_and_what_they_rest_on(self) -> None:
        about = {"task": "mmlu", "law": "skaling", "link": "logistic", "sd": 0.1, "cells": 9}
        rows = [about | {"via": via, "weight": w} for via, w in (("own loss", 0.4), ("c4", 0.6))]
        assert command.routes(pd.DataFrame(rows), "mmlu") == "c4 60 %, own loss 40 %"
        assert (
            command.routes(pd.DataFrame(rows), "piqa")
            == command.routes(pd.DataFrame(), "piqa")
            == ""
        )
        assert command.mixture(pd.DataFrame(rows)).endswith(
            "dearer runs from cheaper ones (9 figures at most): column via."
        )
        laws = command.mixture(pd.DataFrame(rows).assign(task="", cells=0))
        assert laws.startswith(
            "Mixture, weighed alike: nothing of the past tells of them: skaling, logistic via own loss: 0.40 (sd 0.10), "
        )

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
        ["--tasks", "describes the tasks of a run table", "name the run table"],
    ),
    "chains": (["--chains", "0"], ["chains", "1 or more", "got 0"]),
    "draws": (["--draws", "0"], ["draws", "1 or more", "got 0"]),
    "seed": (["--seed", "-1"], ["seed", "0 or more", "got -1"]),
    "a word for a number": (["--prob", "most"], ["--prob", "number"]),
    "unknown option": (["--probability", "0.9"], ["--probability"]),
}


class TestBadInput:
    @pytest.mark.parametrize(("words", "said"), BAD.values(), ids=BAD)
    def test_is_one_line_on_stderr_and_status_2_before_any_sampling(
        self, words: list[str], said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def sample(*_: object) -> None:
            raise AssertionError("it sampled first")

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("bayescale.fitting.sample_jobs", sample)
        told = here("forecast", *words)
        assert (told.status, told.out) == (2, "")
        assert told.err.count("\n") == 1, "one line"
        assert told.err.endswith("\n")
        for word in said:
            assert word in told.err
        assert list(tmp_path.iterdir()) == []

    def test_in_a_process_of_its_own(self, tmp_path: Path) -> None:
        path = tmp_path / "nowhere.csv"
        assert in_a_process("forecast", path) == Told(
            2, "", f"bayescale: file {str(path)!r}: must exist; got nothing there; check the path\n"
        )


DECISION = ["--draws", "60", "--chains", "2", "--worth", "5e6", "--threshold", "piqa=0.6,mmlu=0.3"]


class TestDecide:
    def test_says_the_verdict_and_what_it_rests_on(self, files: Files) -> None:
        told = here("decide", files.runs, "--tasks", files.tasks, *DECISION, "--json")
        found = json.loads(told.out)
        assert told.status == (1 if found["status"] == "fail" else 0)
        assert found["verdict"] in {"fund", "do not fund", "undecided"}
        assert (found["verdict"] == "undecided") == (found["status"] == "fail")
        assert {row["task"] for row in found["reach"]} == {"piqa", "mmlu", "every one"}
        assert found["asked"]["value"] == "5,000,000 if every one is reached: piqa 60 %, mmlu 30 %"
        looked_at = {"cost, times", "thresholds, plus", "discrepancy, times"}
        assert {row["what"] for row in found["flips"]} == (
            set() if found["verdict"] == "undecided" else looked_at
        )
        assert all(row["cost"] > 0 for row in found["options"])

    def test_as_tables(self, default_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("bayescale.cli.options.fit", lambda *_, **__: default_fit)
        monkeypatch.setattr(Fit, "status", "pass")
        told = here(
            "decide",
            "--per-point",
            "1e5",
            "--baseline",
            "0.5",
            "--cost",
            "1e5",
            "--candidates",
            "1B-10xC=20, 6e8:2e11=10",
        )
        assert told.out.split(":")[0] in {"FUND", "DO NOT FUND", "GATHER EVIDENCE FIRST"}
        for words in (
            "asked: value 100,000 for each point",
            "what would change it",
            "no evidence is worth more",
            "1B-10xC again",
        ):
            assert words in " ".join(told.out.split())

    def test_a_report_of_the_worked_example_is_written_whole_and_says_what_is_missing(
        self, default_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bayescale.cli.options.fit", lambda *_, **__: default_fit)
        assert here("report", "--output", tmp_path / "r.html", "--json").status == (
            1 if default_fit.status == "fail" else 0
        )
        monkeypatch.setattr(Fit, "status", "pass")
        told = here("report", "--output", tmp_path / "r.html", "--json")
        found = json.loads(told.out)
        assert told.status == 0
        assert found["bytes"] == (tmp_path / "r.html").stat().st_size
        assert list(found["missing"]) == ["How such forecasts have held"]
        bad = here("report", "--output", tmp_path / "nowhere" / "r.html")
        assert (bad.status, bad.out) == (2, "")
        assert "in a folder that exists" in bad.err

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--dataset", "gadre2024"], "needs --worth and --threshold"),
            (["--dataset", "gadre2024", "--worth", "1e6"], "needs --worth and --threshold"),
            (["--threshold", "70"], "must lie in [0, 1]"),
            (["--threshold", "chess=0.5"], "tasks of the ladder"),
            (["--worth", "-5"], "above 0"),
            (["--cost", "-5"], "0 or more"),
            (["--risk-aversion", "-1"], "0 or more"),
            (["--most-regret", "2"], "[0, 1]"),
            (["--worth", "1e6", "--threshold", "high"], "must be a share"),
            (["--per-point", "1", "--worth", "1"], "stands instead of"),
            (["--device", "abacus"], "H100"),
            (["--baseline", "0.5"], "goes with --per-point"),
            (["--candidates", "chess"], "params:tokens or runs of the table"),
            (["--candidates", "1e9:1e11=-5"], "0 or more"),
            (["--candidates", "1e9:1e11", "--cost", "1e6"], "a price each"),
            (["--price", "2,3,4"], "two with a comma"),
            (["--utilisation", "1.5"], "at most 1"),
        ],
    )
    def test_bad_input_is_told_before_any_sampling(
        self, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def sample(*_: object) -> None:
            raise AssertionError("it sampled first")

        monkeypatch.setattr("bayescale.fitting.sample_jobs", sample)
        told = here("decide", *words)
        assert (told.status, told.out, told.err.count("\n")) == (2, "", 1)
        assert said in told.err


class TestOtherCommands:
    def test_version(self) -> None:
        assert in_a_process("--version") == Told(0, f"bayescale {bayescale.__version__}\n", "")

    def test_datasets_are_listed_with_their_sources(self) -> None:
        told = here("datasets")
        assert (told.status, told.err) == (0, "")
        for words in (
            "'ladder2024': 32 runs",
            "arXiv 2412.04403",
            "'gadre2024': 104 runs",
            "arXiv 2403.08540",
        ):
            assert words in told.out

    def test_datasets_as_json(self) -> None:
        told = here("datasets", "--json")
        found = {d["name"]: d for d in json.loads(told.out)}
        assert told.status == 0
        assert {
            name: (d["runs"], len(d["corpora"]), len(d["tasks"])) for name, d in found.items()
        } == {"ladder2024": (32, 1, 8), "gadre2024": (104, 3, 2)}
        assert all(d["source"] for d in found.values())

    def test_check_says_what_is_in_a_table(self, files: Files) -> None:
        told = here("check", files.runs, "--tasks", files.tasks)
        assert told == Told(
            0,
            "Ladder('runs': 20 runs (16 fit, 2 target, 2 held_out), 2 corpora, 3 losses, 2 tasks)\n",
            "",
        )

    def test_check_says_which_column_may_be_misspelled(self, tmp_path: Path) -> None:
        run_table().rename(columns={"accuracy": "acuracy"}).assign(notes="x").to_csv(
            tmp_path / "misspelled.csv", index=False
        )
        told = here("check", tmp_path / "misspelled.csv")
        assert (told.status, told.err) == (
            0,
            "bayescale: column 'acuracy' of the run table is left out: rename it if 'accuracy' was meant\n",
        )

    def test_a_misspelled_column_is_told_though_the_table_is_then_refused(
        self, tmp_path: Path
    ) -> None:
        twice = pd.concat([run_table().assign(steps=1), run_table().assign(steps=2)])
        twice.to_csv(tmp_path / "checkpoints.csv", index=False)
        told = here("check", tmp_path / "checkpoints.csv")
        assert told.status == 2
        assert "rename it if 'step' was meant" in told.err
        assert "duplicate row" in told.err

    def test_check_says_what_looks_wrong(self, files: Files, tmp_path: Path) -> None:
        table = run_table()
        table.loc[1, "accuracy"] = 0.02
        table.to_csv(tmp_path / "low.csv", index=False)
        told = here("check", tmp_path / "low.csv", "--tasks", files.tasks)
        assert told.status == 0
        assert "below chance 0.5" in " ".join(told.out.split())
        assert "piqa, web-0" in told.out

    def test_check_of_a_broken_table_is_bad_input(self, files: Files, tmp_path: Path) -> None:
        run_table().assign(accuracy=lambda f: 100 * f["accuracy"]).to_csv(
            tmp_path / "percent.csv", index=False
        )
        told = here("check", tmp_path / "percent.csv", "--tasks", files.tasks)
        assert (told.status, told.out, told.err.count("\n")) == (2, "", 1)
        assert "divide the column by 100" in told.err
