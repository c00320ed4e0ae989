"""Exports of Weights & Biases: finished runs, each once, and the last values of a chart."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bayescale.data.readers.parse import read_table
from bayescale.data.readers.wandb import (
    is_chart_export,
    is_runs_export,
    read_chart_export,
    read_runs_export,
)
from bayescale.errors import BayescaleError, DataError
from helpers.mutations import refusal
from helpers.tables import assert_one_line, write

COLUMNS = ["Name", "State", "Created", "model.n_layers", "_step", "eval/loss"]


def runs(*rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=COLUMNS)


def run(
    name: object, state: object = "finished", day: object = 1, layers: int = 4, loss: Any = 3.0
) -> tuple[Any, ...]:
    created = f"2024-05-{day:02d}T10:00:00.000Z" if isinstance(day, int) else day
    return (name, state, created, layers, None if loss is None else 100, loss)


def chart(**columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame({"Step": [0, 1000, 2000]} | columns)


LOSS = "net-70m - train/loss"


class TestRecognition:
    def test_a_table_of_runs(self) -> None:
        assert is_runs_export(runs(run("a")))
        assert not is_chart_export(runs(run("a")))

    @pytest.mark.parametrize("axis", ["Step", "_step", "tokens", "Relative Time (Process)"])
    def test_a_chart(self, axis: str) -> None:
        table = pd.DataFrame([[0, 3.0, 2.9, 3.1]], columns=[axis, LOSS, LOSS + "__MIN", "b - x"])
        assert is_chart_export(table)
        assert not is_runs_export(table)

    @pytest.mark.parametrize(
        "columns", [[], ["Step"], ["run", "loss"], [LOSS, "b - x"], ["Step", LOSS, "loss"], [1, 2]]
    )
    def test_any_other_table(self, columns: list[Any]) -> None:
        table = pd.DataFrame([range(len(columns))], columns=columns)
        assert not is_chart_export(table)
        assert not is_runs_export(table)


class TestRuns:
    def test_finished_runs_are_taken_and_others_named(self) -> None:
        table, notes = read_runs_export(
            runs(
                run("a"),
                run("b", "crashed"),
                run("c", "Finished "),
                run("d", "running"),
                run("e", None),
            )
        )
        assert list(table["run"]) == ["a", "c"]
        assert list(table.columns) == ["run", *COLUMNS[1:]]
        assert table["eval/loss"].tolist() == [3.0, 3.0]
        assert notes == [
            "Runs that did not finish, left out: b (crashed), d (running), e (no state)."
        ]

    def test_unfinished_runs_are_taken_where_they_are_asked_for(self) -> None:
        table, notes = read_runs_export(runs(run("a"), run("b", "crashed")), unfinished=True)
        assert list(table["run"]) == ["a", "b"]
        assert notes == ["Runs that did not finish, taken too: b (crashed)."]

    def test_runs_that_logged_nothing_are_named(self) -> None:
        table, notes = read_runs_export(runs(run("a"), run("b", loss=None)))
        assert list(table["run"]) == ["a"]
        assert notes == ["Runs that logged nothing, left out: b."]

    def test_without_steps_a_run_logged_nothing_where_every_column_is_empty(self) -> None:
        bare = runs(run("a"), run("b"), run("c")).drop(columns="_step")
        bare["eval/loss"] = [3.0, None, None]
        bare["model.n_layers"] = [4, 4, None]
        table, notes = read_runs_export(bare)
        assert list(table["run"]) == ["a", "b"]
        assert notes == ["Runs that logged nothing, left out: c."]

    def test_the_newest_finished_run_of_a_name_is_taken(self) -> None:
        table, notes = read_runs_export(
            runs(
                run("a", day=1, loss=3.1),
                run("b", day=1),
                run("a", day=9, loss=2.9),
                run("a", day=3, loss=3.0),
                run("a", "crashed", day=10, loss=2.8),
            )
        )
        assert table[["run", "eval/loss"]].to_numpy().tolist() == [["b", 3.0], ["a", 2.9]]
        assert "several rows of one name" in notes[1]
        assert notes[1].endswith("the newest by Created is taken: a.")

    def test_a_finished_row_goes_before_a_newer_unfinished_one(self) -> None:
        both = runs(run("a", day=1, loss=3.0), run("a", "failed", day=2, loss=9.0))
        table, _ = read_runs_export(both, unfinished=True)
        assert table["eval/loss"].tolist() == [3.0]

    def test_two_models_of_one_name_are_refused(self) -> None:
        with pytest.raises(DataError) as caught:
            read_runs_export(runs(run("a", layers=4), run("a", day=2, layers=8)))
        assert_one_line(caught.value, "run 'a'", "one model", "'model.n_layers' '4' and '8'")

    @pytest.mark.parametrize(
        ("first", "second"), [(1, 1), ("soon", "later"), (None, None), (1, ""), ("99999999", 1)]
    )
    def test_rows_of_one_name_without_an_order_are_refused(
        self, first: object, second: object
    ) -> None:
        with pytest.raises(DataError) as caught:
            read_runs_export(runs(run("a", day=first), run("a", day=second)))
        assert_one_line(caught.value, "run 'a'", "the newest")

    def test_rows_of_one_name_need_a_column_created(self) -> None:
        with pytest.raises(DataError, match="the newest"):
            read_runs_export(runs(run("a"), run("a", day=2)).drop(columns="Created"))

    @pytest.mark.parametrize("name", ["", "  ", None])
    def test_a_row_without_a_name_is_refused(self, name: object) -> None:
        with pytest.raises(DataError) as caught:
            read_runs_export(runs(run("a"), run(name)))
        assert_one_line(caught.value, "'Name', row 2", "must not be empty")

    @pytest.mark.parametrize("rows", [[], [run("a", "crashed")], [run("a", loss=None)]])
    def test_an_export_without_a_usable_run_is_refused(self, rows: list[Any]) -> None:
        table = runs(*rows)
        if rows and rows[0][1] == "finished":
            table["model.n_layers"] = None
        with pytest.raises(DataError) as caught:
            read_runs_export(table)
        assert_one_line(caught.value, "must have a finished run")

    def test_a_column_twice_is_refused(self) -> None:
        table = pd.concat([runs(run("a")), runs(run("a"))[["State"]]], axis="columns")
        with pytest.raises(DataError, match="'State' twice"):
            read_runs_export(table)

    def test_a_column_run_gives_way_to_the_names(self) -> None:
        table, notes = read_runs_export(runs(run("a")).assign(run=7))
        assert list(table["run"]) == ["a"]
        assert notes == ["Column run is left out: the names of the runs are in column Name."]

    def test_names_that_are_numbers_are_text(self) -> None:
        assert list(read_runs_export(runs(run(7)))[0]["run"]) == ["7"]


class TestChart:
    def test_the_last_values_are_taken(self) -> None:
        table, notes = read_chart_export(
            chart(
                **{
                    LOSS: [11.0, 5.0, 4.5],
                    LOSS + "__MIN": [1, 1, 1],
                    LOSS + "__MAX": [20, 20, 20],
                    "net - a - eval/acc": [0.2, 0.3, None],
                }
            )
        )
        assert table.to_numpy().tolist() == [
            ["net-70m", 2000.0, "train/loss", 4.5],
            ["net - a", 1000.0, "eval/acc", 0.3],
        ]
        assert list(table.columns) == ["run", "step", "metric", "value"]
        assert notes[1] == "2 columns of extremes (__MIN, __MAX) are left out."
        assert len(notes) == 2

    def test_the_last_value_is_the_one_of_the_largest_step(self) -> None:
        table, _ = read_chart_export(
            pd.DataFrame({"tokens": [2e9, 1e9, "1.5e9"], LOSS: [3.0, 4.0, 3.5]})
        )
        assert table[["step", "value"]].to_numpy().tolist() == [[2e9, 3.0]]

    @pytest.mark.parametrize("last", ["NaN", "Infinity", np.inf])
    def test_a_series_that_ends_before_its_run_is_noted(self, last: object) -> None:
        table, notes = read_chart_export(chart(**{LOSS: [11.0, 5.0, last]}))
        assert table[["step", "value"]].to_numpy().tolist() == [[1000.0, 5.0]]
        assert "net-70m - train/loss (1000 of 2000)" in notes[-1]

    def test_another_series_of_the_run_shows_where_it_ended(self) -> None:
        _, notes = read_chart_export(chart(**{LOSS: [3, 2, None], "net-70m - lr": [3, 2, 1]}))
        assert "net-70m - train/loss (1000 of 2000)" in notes[-1]

    def test_series_without_values_and_steps_are_left_out(self) -> None:
        table, notes = read_chart_export(
            chart(**{LOSS: [3, 2, 1], "b - loss": [None] * 3, "net-70m - _step": [0, 1, 2]})
        )
        assert list(table["metric"]) == ["train/loss"]
        assert "No finite value: b - loss." in notes

    @pytest.mark.parametrize(
        ("columns", "words"),
        [
            ({LOSS: [3.0, "low", 2.0]}, (repr(LOSS), "row 2", "'low'")),
            ({LOSS: [3.0, True, 2.0]}, (repr(LOSS), "row 2")),
            ({"Step": [0, "end", 2], LOSS: [3, 2, 1]}, ("'Step', row 2", "'end'")),
            ({"Step": [0, None, 2], LOSS: [3, 2, 1]}, ("'Step', row 2", "nan")),
            ({"Step": [0, 1, np.inf], LOSS: [3, 2, 1]}, ("'Step', row 3", "inf")),
            ({LOSS: [None] * 3}, ("must hold a value",)),
            ({LOSS + "__MIN": [3, 2, 1]}, ("must hold a value",)),
        ],
    )
    def test_what_is_no_chart_is_refused(
        self, columns: dict[str, list[Any]], words: tuple[str, ...]
    ) -> None:
        with pytest.raises(DataError) as caught:
            read_chart_export(chart(**columns))
        assert_one_line(caught.value, *words)

    def test_a_series_twice_is_refused(self) -> None:
        table = pd.DataFrame([[0, 1, 2]], columns=["Step", LOSS, LOSS])
        with pytest.raises(DataError, match="twice"):
            read_chart_export(table)


CELLS = st.sampled_from(
    [
        "a",
        "b",
        "finished",
        "crashed",
        "2024-05-01T10:00:00.000Z",
        "2024-05-02",
        "99999-01-01T00:00:00Z",
        "",
        "3.5",
        "-1",
        "1e400",
        "1" * 400,
        "NaN",
        "Infinity",
        "True",
        "low",
        "\x1b[31m",
        "\u202e",
    ]
)
HEADERS = [
    COLUMNS,
    ["Name", "State"],
    ["Name", "State", "Created", "run", "seed"],
    ["Step", LOSS, LOSS + "__MIN", LOSS + "__MAX", "b - eval/acc"],
    ["tokens", "a - _step", "a - loss", " - ", "b - loss__MIN"],
]


@st.composite
def tables(draw: st.DrawFn) -> str:
    """The text of an export with any cells."""
    header = draw(st.sampled_from(HEADERS))
    rows = draw(st.lists(st.lists(CELLS, min_size=len(header), max_size=len(header)), max_size=5))
    lines = [",".join(f'"{cell}"' for cell in row) for row in [header, *rows]]
    return "\n".join(lines) + "\n"


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=tables(), unfinished=st.booleans())
def test_a_table_or_an_error_of_ours(tmp_path: Path, text: str, unfinished: bool) -> None:
    frame = read_table(write(tmp_path, text))
    read = (
        (lambda: read_runs_export(frame, unfinished=unfinished))
        if is_runs_export(frame)
        else (lambda: read_chart_export(frame))
    )
    assert "\n" not in refusal(read)
    try:
        table, notes = read()
    except BayescaleError:
        return
    assert len(table) > 0
    assert all(note.isprintable() for note in notes)
    if "metric" in table:
        assert np.isfinite(table[["step", "value"]]).all(axis=None)
    else:
        assert table["run"].is_unique
