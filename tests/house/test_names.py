"""Names full of markup through the whole chain: tables, JSON, HTML, pictures, files and the
terminal.
"""

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import arviz_stats as stats
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from rich.console import Console

import bayescale
from bayescale import plots
from bayescale.backtests.record import Backtest
from bayescale.checks import Check
from bayescale.cli import tables
from bayescale.cli.backtest import print_backtest
from bayescale.cli.decide import print_decision
from bayescale.cli.group import run_command
from bayescale.data.ladder import Ladder
from bayescale.data.names import visible
from bayescale.data.target import Target
from bayescale.decisions.candidate import Candidate
from bayescale.decisions.decide import Decision, decide
from bayescale.decisions.evidence import Evidence, value_of_information
from bayescale.decisions.value import Threshold
from bayescale.fits import archive, load
from bayescale.fits.fit import fit
from bayescale.fits.load import load_fit
from bayescale.fits.record import Fit
from bayescale.forecasts.forecast import forecast
from bayescale.forecasts.prior_sensitivity import parameter_sensitivity, prior_sensitivity
from bayescale.forecasts.record import Forecast
from bayescale.forecasts.update import Update
from bayescale.plots.style import literal
from bayescale.reports.report import Report, report
from helpers.backtests import written_backtest
from helpers.pages import Page

mpl.use("Agg")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Glyph"),  # the font of Matplotlib has no rocket
    # names of 80 letters leave no room for axes
    pytest.mark.filterwarnings("ignore:constrained_layout not applied"),
]
EVIL = '<img src=x onerror=alert(1)> "q" & $x$ [x] [/red] a/b=c, \x1b[31m\x07\nnext \U0001f680'
SIZES = [(1e7, 2e8), (3e7, 1e9), (1e8, 2e9), (3e8, 1e10), (1e9, 2e10)]
CORPORA = [f"_corpus {i} {EVIL}" for i in (1, 2)]
TASK, LOSS, STEM, TARGET = f"task {EVIL}", f"loss {EVIL}", EVIL.replace("/", "|"), f"target {EVIL}"
# a rerun that --candidates can name: neither comma nor equals sign
PLAIN_RUN = "[/red]\x1b[31m$a$:boom:"
RUNS = [PLAIN_RUN, *(f"_run {i} {EVIL}" for i in range(1, 10))]
NAMES = [*CORPORA, TASK, LOSS, TARGET, *RUNS]
SHORT = ["--chains", 2, "--draws", 60]
CHOICES = [
    "--law",
    "compute",
    "--link",
    "exponential",
    "--via",
    LOSS,
    "--pooling",
    "complete",
    "--discrepancy",
    "calibrated",
    *SHORT,
]


class Told(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


class Chain(NamedTuple):
    """The one fit by the command line, read back from its file, and all that the command wrote."""

    told: Told
    folder: Path
    runs: Path
    tasks: Path
    fit: Fit

    @property
    def tables(self) -> list[object]:
        return [self.runs, "--tasks", self.tasks]


def run_table() -> pd.DataFrame:
    """Five runs on each of two corpora and a target on the first; one loss declared, one task with
    accuracies.
    """
    rng, rows = np.random.default_rng(2), []
    configurations = [(corpus, n, d, "fit") for corpus in CORPORA for n, d in SIZES]
    for run, (corpus, n, d, role) in zip(
        [*RUNS, TARGET], [*configurations, (CORPORA[0], 7e9, 2e11, "target")], strict=True
    ):
        loss = (1.8 + 1.2 * (6 * n * d / 1e18) ** -0.15) * np.exp(0.01 * rng.normal())
        share = 0.25 + 0.75 * 0.5 * np.exp(-2.0 * (loss - 2.0))
        own = {"run": run, "corpus": corpus, "params": n, "tokens": d, "role": role}
        rows.append({**own, "task": LOSS, "loss": loss})
        rows.append(
            {
                **own,
                "task": TASK,
                "loss": 0.5 * loss,
                "accuracy": rng.binomial(500, min(share, 0.95)) / 500,
            }
        )
    return pd.DataFrame(rows)


class Terminal(io.StringIO):
    """Somebody watches."""

    def isatty(self) -> bool:
        return True


def here(*words: object, err: io.StringIO | None = None) -> Told:
    """The command in this process, on lines so wide that no cell is broken."""
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(err or io.StringIO()) as err,
    ):
        patch.setattr(sys, "argv", ["bayescale", *map(str, words)])
        patch.setattr(tables, "width", lambda: 3000)
        status = run_command()
    return Told(status, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    folder = tmp_path_factory.mktemp("names")
    runs, tasks = folder / f"{STEM}.csv", folder / "tasks.csv"
    run_table().to_csv(runs, index=False)
    pd.DataFrame({"task": [TASK], "chance": 0.25, "items": 500}).to_csv(tasks, index=False)
    outputs = [
        "--csv",
        folder / "f.csv",
        "--plot",
        folder / "f.svg",
        "--save",
        folder / "f.fit",
        "--json",
    ]
    told = here("forecast", runs, "--tasks", tasks, *CHOICES, *outputs)
    return Chain(told, folder, runs, tasks, load_fit(folder / "f.fit"))


@pytest.fixture(scope="module")
def made(chain: Chain) -> Forecast:
    return forecast(chain.fit, chain.fit.ladder.targets())


@pytest.fixture(scope="module")
def evidence(chain: Chain, made: Forecast) -> Evidence:
    candidates = [Candidate([Target(3e8, 2e10, CORPORA[1])], cost=10.0, name=f"candidate {EVIL}")]
    found = value_of_information(
        chain.fit, made.targets, candidates, cost=1e5, value=Threshold(1e6, {TASK: 0.5})
    )
    return replace(found, status="pass")


@pytest.fixture(scope="module")
def decision(made: Forecast, evidence: Evidence) -> Decision:
    return decide(
        replace(made, status="pass"), cost=1e5, value=Threshold(1e6, {TASK: 0.5}), evidence=evidence
    )


@pytest.fixture(scope="module")
def backtest() -> Backtest:
    """Of one task, with a check that failed."""
    made = written_backtest()
    cases = made.cases.assign(run=[*RUNS[4:6], TARGET] * 2, corpus=CORPORA[0], name=TASK)
    return Backtest(cases, made.folds.assign(failed=EVIL), made.by)


@pytest.fixture
def kept(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """Commands find the fit made already, its checks passed."""
    monkeypatch.setattr("bayescale.cli.options.fit", lambda *_, **__: chain.fit)
    monkeypatch.setattr(Fit, "status", "pass")
    return chain


def no_control(text: str) -> bool:
    """Whether a terminal would find nothing to obey but line ends."""
    return all(c.isprintable() or c == "\n" for c in text)


HEAD, BODY = (
    {"html", "head", "meta", "title", "link", "style"},
    {"body", "h1", "nav", "ol", "li", "a", "section", "h2", "p", "ul", "div", "img"},
)
TABLE = {"table", "caption", "thead", "tr", "th", "tbody", "td"}
OURS = HEAD | BODY | TABLE
ATTRIBUTES = {
    "lang",
    "charset",
    "name",
    "content",
    "http-equiv",
    "rel",
    "href",
    "aria-label",
    "id",
    "class",
    "tabindex",
    "role",
    "src",
    "alt",
    "scope",
}


class TestRecords:
    def test_a_saved_fit_keeps_names_and_forecasts_the_same(
        self, chain: Chain, made: Forecast
    ) -> None:
        assert chain.told.status in (0, 1), chain.told.err
        assert chain.fit.ladder == bayescale.read_csv(chain.runs, tasks=chain.tasks)
        assert (
            chain.fit.ladder.name,
            chain.fit.ladder.corpora,
            chain.fit.ladder.tasks,
            chain.fit.via,
        ) == (STEM, CORPORA, [TASK], LOSS)
        assert list(chain.fit.ladder.runs.index) == [*RUNS, TARGET]
        table = pd.read_csv(chain.folder / "f.csv")  # of the fit before it was saved
        wanted = made.to_frame(0.9)
        pd.testing.assert_frame_equal(table[wanted.columns], wanted, rtol=1e-9, check_dtype=False)

    def test_csv_and_json_hold_the_names_exactly(self, chain: Chain) -> None:
        table = pd.read_csv(chain.folder / "f.csv")
        assert [set(table[name]) for name in ("target", "corpus", "task")] == [
            {TARGET},
            {CORPORA[0]},
            {TASK, LOSS},
        ]
        (target,) = json.loads(chain.told.out)["targets"]
        assert (target["name"], target["corpus"]) == (TARGET, CORPORA[0])
        assert [(c["task"], c["loss_name"], c["via"]) for c in target["tasks"]] == [
            (TASK, TASK, LOSS)
        ]
        assert [c["task"] for c in target["losses"]] == [LOSS]

    def test_backtest_holds_the_names_exactly(self, chain: Chain) -> None:
        outputs = ["--csv", chain.folder / "b.csv", "--plot", chain.folder / "b.png", "--json"]
        asked = ["--cuts", "3e19", "--no-baselines", *outputs]
        answer = json.loads(here("backtest", *chain.tables, *CHOICES, *asked).out)
        cases = pd.read_csv(chain.folder / "b.csv")
        assert (
            {row["run"] for row in answer["cases"]}
            == set(cases["run"])
            == {RUNS[4], RUNS[9], TARGET}
        )
        assert {row["name"] for row in answer["cases"]} == set(cases["name"]) == {TASK, LOSS}
        assert set(cases["corpus"]) == set(CORPORA)
        assert (chain.folder / "b.png").read_bytes().startswith(b"\x89PNG")

    def test_sensitivities_name_routes_series_and_targets(
        self, chain: Chain, made: Forecast
    ) -> None:
        found = prior_sensitivity(chain.fit, made)
        assert set(found["target"]) == {TARGET}
        heads = {name.rsplit(": ", 1)[0] for name in found["prior"]}
        assert heads == {"all together", "law compute", f"link via {LOSS}"}
        of_parameters = parameter_sensitivity(chain.fit)
        series = {f"{corpus}, {name}" for corpus in CORPORA for name in (TASK, LOSS)}
        assert set(of_parameters.query("parameter == 'L0'")["series"]) == series
        assert set(of_parameters.query("step == 'accuracy' and series != ''")["series"]) == {
            f"{corpus}, {TASK}" for corpus in CORPORA
        }
        assert np.isfinite(found["sensitivity"]).all()
        assert np.isfinite(of_parameters[["prior", "likelihood"]]).all(axis=None)

    @pytest.mark.parametrize("series", [f"{CORPORA[0]}, {TASK}", f"{CORPORA[1]}, {LOSS}"])
    def test_a_sensitivity_stands_beside_its_own_series(self, chain: Chain, series: str) -> None:
        corpus, name = next((c, n) for c in CORPORA for n in (TASK, LOSS) if series == f"{c}, {n}")
        statistics = chain.fit.losses["sample_stats"].to_dataset()
        groups = {
            "/log_prior": chain.fit.losses["log_prior"].to_dataset(),
            "/log_likelihood": statistics[["log_evidence"]],
        }
        alone = (
            chain.fit.losses["posterior"]
            .to_dataset()[["L0"]]
            .sel(corpus=corpus, loss_name=name, drop=True)
        )
        wanted = float(
            stats.psense(
                xr.DataTree.from_dict({"/posterior": alone, **groups}), group="likelihood"
            )["L0"]
        )
        row = (
            parameter_sensitivity(chain.fit)
            .query("parameter == 'L0'")
            .set_index("series")
            .loc[series]
        )
        assert row["likelihood"] == pytest.approx(wanted, rel=1e-12)

    def test_names_that_look_like_numbers_or_end_a_line_are_saved_too(self, tmp_path: Path) -> None:
        rows = pd.DataFrame(
            {
                "run": ["a\rb", "a\nb", "a\r\nb"],
                "params": [1e8, 2e8, 4e8],
                "tokens": [1e9, 2e9, 4e9],
                "task": "007",
                "loss": [3.0, 2.8, 2.6],
            }
        )
        weights = pd.DataFrame(
            {
                "member": [0],
                "law": "1e5",
                "link": "2",
                "via": "1.50",
                "weight": 1.0,
                "sd": 0.5,
                "runs": [3],
            }
        )
        made = fit(Ladder.from_frame(rows), law="compute", discrepancy="none", chains=1, draws=20)
        made.save(tmp_path / "a.fit")
        again = load_fit(tmp_path / "a.fit")
        assert list(again.ladder.runs.index) == list(rows["run"])
        assert again.ladder.loss_names == ["007"]
        table = load._table(archive._csv(weights).encode())
        pd.testing.assert_frame_equal(table, weights, check_dtype=False)


class TestHtml:
    def test_a_report_shows_names_and_obeys_none(
        self,
        chain: Chain,
        made: Forecast,
        decision: Decision,
        backtest: Backtest,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(Fit, "status", "pass")
        report(chain.fit, made, backtest=backtest, decision=decision).save(tmp_path / "r.html")
        page = Page((tmp_path / "r.html").read_text("utf-8"))
        assert page.tags == OURS
        assert {name for name, _ in page.attributes} <= ATTRIBUTES
        assert all(
            value.startswith("data:image/png;base64,")
            for name, value in page.attributes
            if name == "src"
        )
        assert (
            "content",
            "default-src 'none'; img-src data:; style-src 'unsafe-inline'",
        ) in page.attributes
        for name in (*NAMES, STEM, f"candidate {EVIL}", f"link via {LOSS}"):
            assert name in page.text
        described = " ".join(value for name, value in page.attributes if name == "alt")
        for name in (f"{TARGET}, {TASK}: ", f"candidate {EVIL}: ", f"{TASK} 50 %"):
            assert name in described

    def test_the_command_says_where_the_page_is(
        self, kept: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bayescale.cli.report.make_report", lambda *_, **__: Report("<p>", ()))
        asked = [
            "--worth",
            "1e6",
            "--threshold",
            "0.5",
            "--cost",
            "1e5",
            "--output",
            tmp_path / f"{STEM}.html",
        ]
        told = here("report", *kept.tables, *asked)
        assert told.status in (0, 1), told.err
        assert no_control(told.out)
        assert told.out.startswith(visible(f"{tmp_path / STEM}.html: "))
        assert visible(TARGET) in told.out
        assert (tmp_path / f"{STEM}.html").read_text("utf-8") == "<p>"

    def test_every_record_in_a_notebook(
        self,
        chain: Chain,
        made: Forecast,
        evidence: Evidence,
        decision: Decision,
        backtest: Backtest,
    ) -> None:
        update = Update(chain.fit, made.to_frame().assign(width=1.0, width_before=2.0))
        records = {
            "ladder": (chain.fit.ladder, [repr(STEM), TASK]),
            "fit": (chain.fit, [repr(STEM), repr(chain.fit)]),
            "forecast": (made, [TARGET, TASK]),
            "evidence": (evidence, [f"candidate {EVIL}"]),
            "decision": (decision, [decision.reason, TARGET]),
            "backtest": (backtest, [EVIL]),
            "update": (update, [repr(STEM), TARGET]),
        }
        for of, (record, wanted) in records.items():
            with pd.option_context("display.max_colwidth", None):
                page = Page(record._repr_html_())
            assert page.tags <= TABLE | {"p", "b"}, of
            assert {name for name, _ in page.attributes} <= {"border", "class", "style"}, of
            for text in wanted:
                # pandas writes a line end of a cell as an escape
                assert text in page.text or text.replace("\n", r"\n") in page.text, of


def cells(out: str) -> list[list[str]]:
    """The cells of every row of every table."""
    return [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if "│" in line
    ]


class TestTerminal:
    def test_forecast_prints_brackets_and_no_control_character(self, kept: Chain) -> None:
        told = here("forecast", *kept.tables, *CHOICES)
        assert told.status in (0, 1), told.err
        assert no_control(told.out + told.err)
        assert any(
            line.startswith(f"{visible(TARGET)}: ") and visible(CORPORA[0]) in line
            for line in told.out.splitlines()
        )
        assert [(row[0], row[5]) for row in cells(told.out) if len(row) == 7] == [
            (visible(TASK), visible(LOSS)),
            (visible(LOSS), ""),
        ]

    def test_check_names_the_task_and_the_run(self, chain: Chain, tmp_path: Path) -> None:
        rows = run_table()
        rows.loc[1, "accuracy"] = 0.0
        rows.to_csv(tmp_path / f"{STEM}.csv", index=False)
        told = here("check", tmp_path / f"{STEM}.csv", "--tasks", chain.tasks)
        assert (told.status, told.err) == (0, "")
        assert no_control(told.out)
        assert told.out.startswith(f"{visible(STEM)}: 11 runs")
        assert cells(told.out)[0][:2] == [
            visible(f"accuracy above chance: {TASK}, {PLAIN_RUN}"),
            "warn",
        ]

    def test_backtest_prints_what_failed(self, backtest: Backtest) -> None:
        out = io.StringIO()
        print_backtest(Console(file=out, width=3000), backtest, 1.0)
        assert no_control(out.getvalue())
        assert visible(EVIL) in [row[-1] for row in cells(out.getvalue())]

    def test_decide_prints_targets_tasks_and_candidates(self, decision: Decision) -> None:
        out = io.StringIO()
        print_decision(Console(file=out, width=3000), decision, 1.0)
        assert no_control(out.getvalue())
        assert f"reached: {visible(TASK)} 50 %" in out.getvalue()
        firsts = {row[0] for row in cells(out.getvalue())}
        assert {visible(TARGET), visible(f"candidate {EVIL}")} <= firsts

    def test_decide_as_a_command_with_a_bar_that_somebody_watches(
        self, kept: Chain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TERM", "xterm")
        watched = Terminal()
        asked = [
            "--worth",
            "1e6",
            "--threshold",
            "0.5",
            "--cost",
            "1e5",
            "--candidates",
            f"{PLAIN_RUN}=10",
        ]
        told = here("decide", *kept.tables, *asked, err=watched)
        assert told.status in (0, 1), told.err
        assert visible(f"{PLAIN_RUN} again") in {row[0] for row in cells(told.out)}
        assert no_control(told.out)
        assert PLAIN_RUN not in watched.getvalue()
        assert visible(PLAIN_RUN).split(":")[0] in watched.getvalue()
        answer = json.loads(here("decide", *kept.tables, *asked, "--json").out)
        assert answer["evidence"][0]["candidate"] == f"{PLAIN_RUN} again"
        assert {row["target"] for row in answer["options"]} == {TARGET}

    def test_an_error_is_one_line_that_shows_the_names(self, chain: Chain) -> None:
        told = here("forecast", *chain.tables, "--corpus", "\x1b[2J")
        assert (told.status, told.out, told.err.count("\n")) == (2, "", 1)
        assert no_control(told.err)
        assert visible(CORPORA[0]) in told.err

    def test_colours_are_ours_alone(self) -> None:
        out = io.StringIO()
        console = Console(
            file=out, width=200, force_terminal=True, color_system="standard", legacy_windows=False
        )
        tables.print_checks(
            console, [Check(f"[green]a\x1b[32m:boom:{EVIL}", "fail", 1.0, 0.0, "[/] do")]
        )
        assert "\x1b[31mfail" in out.getvalue()
        assert "\x1b[32m" not in out.getvalue()
        assert visible(f"[green]a\x1b[32m:boom:{EVIL}") in out.getvalue()
        assert "[/] do" in out.getvalue()


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Any]]]:
    """Every line of text that Matplotlib draws, and whether as mathtext."""
    found: list[tuple[str, Any]] = []
    monkeypatch.setattr(
        RendererAgg,
        "draw_text",
        lambda self, gc, x, y, s, prop, angle, ismath=False, mtext=None: found.append((s, ismath)),
    )
    yield found
    plt.close("all")


def squeezed(text: str) -> str:
    """Without blanks, at which long names are broken into lines."""
    return "".join(text.split())


def a_frontier() -> pd.DataFrame:
    """As `bayescale.frontier` gives it: the law of the fit knows none."""
    frame = pd.DataFrame(
        {
            "flops": [1e20, 1e21],
            "quantity": "params",
            "median": [1e9, 3e9],
            "lower": 1e9,
            "upper": 4e9,
        }
    )
    frame.attrs = {"status": "pass", "prob": 0.9, "series": (CORPORA[0], LOSS)}
    return frame


PICTURES: dict[str, tuple[Callable[[Chain, Forecast], Axes], list[str]]] = {
    "law": (
        lambda c, m: plots.plot_law(c.fit, loss_name=LOSS, targets=m.targets),
        [STEM, LOSS, CORPORA[0], f"{TARGET}, actual"],
    ),
    "link": (
        lambda c, m: plots.plot_link(c.fit, task=TASK, corpus=CORPORA[1]),
        [STEM, TASK, CORPORA[1], f"{LOSS} loss"],
    ),
    "chain": (
        lambda c, m: plots.plot_chain(c.fit, targets=m.targets),
        [f"{TASK}, trained on {CORPORA[0]}"],
    ),
    "forecast": (
        lambda c, m: plots.plot_forecast(
            m, ladder=c.fit.ladder, threshold=Threshold(1e6, {TASK: 0.5})
        ),
        [TASK, TARGET],
    ),
    "losses": (
        lambda c, m: plots.plot_forecast(m, ladder=c.fit.ladder, quantity="loss"),
        [TASK, LOSS, TARGET],
    ),
    "forest": (lambda c, m: plots.plot_forest(c.fit, "L0"), [TASK, LOSS, *CORPORA]),
    "frontier": (
        lambda c, m: plots.plot_frontier(a_frontier()),
        [f"{LOSS} on {CORPORA[0]}"],
    ),
}


class TestPictures:
    @pytest.mark.parametrize(("draw", "wanted"), PICTURES.values(), ids=PICTURES)
    def test_names_are_drawn_letter_by_letter(
        self,
        chain: Chain,
        made: Forecast,
        drawn: list[tuple[str, Any]],
        draw: Callable[[Chain, Forecast], Axes],
        wanted: list[str],
    ) -> None:
        draw(chain, made).figure.canvas.draw()
        self.check(drawn, wanted)

    def test_candidates(self, evidence: Evidence, drawn: list[tuple[str, Any]]) -> None:
        plots.plot_evidence(evidence).figure.canvas.draw()
        self.check(drawn, [f"candidate {EVIL}"])

    def test_the_file_of_the_command_holds_no_control_character(self, chain: Chain) -> None:
        assert no_control((chain.folder / "f.svg").read_text("utf-8"))

    @pytest.mark.parametrize("name", ["$x$", "$", r"\$x$", "a$b$c$", "$\\frac{$", "$x$\\"])
    def test_dollars_are_dollars(self, drawn: list[tuple[str, Any]], name: str) -> None:
        ax = plt.subplots()[1]
        ax.set_axis_off()
        ax.set_title(literal(name))
        ax.figure.canvas.draw()
        assert drawn == [(name, False)]

    def check(self, drawn: list[tuple[str, Any]], wanted: list[str]) -> None:
        text = squeezed("".join(line for line, is_math in drawn if not is_math))
        for name in wanted:
            assert squeezed(visible(name)) in text
        assert all(r"\mathdefault" in line for line, is_math in drawn if is_math), (
            "only the ticks of Matplotlib are formulas"
        )
