"""Tidy CSV tables: what is read, and what a wrong file is told."""

from pathlib import Path

import pandas as pd
import pytest

from bayescale.data.ladder import Ladder
from bayescale.data.readers import read_csv
from bayescale.data.target import Conventions
from bayescale.errors import DataError, FileError
from helpers.tables import assert_one_line, write

RUNS = "run,params,tokens,task,loss,accuracy\n{}"
ROW = "a,1e8,2e9,mmlu,1.2,0.3\n"


@pytest.fixture
def task_table(tmp_path: Path) -> Path:
    return write(tmp_path, "task,chance,items\nmmlu,0.25,14042\n", "tasks.csv")


class TestCsv:
    def test_reads_both_tables_and_settings(self, tmp_path: Path, task_table: Path) -> None:
        path = write(tmp_path, RUNS.format(ROW))
        ladder = read_csv(
            path,
            tasks=task_table,
            conventions=Conventions(tokenizer="x"),
            law="gadre",
            link="exponential",
            source="here",
        )
        assert ladder.runs.loc["a", "params"] == 1e8
        assert ladder.task_table.loc["mmlu", "items"] == 14042
        assert (
            ladder.law,
            ladder.link,
            ladder.name,
            ladder.source,
            ladder.conventions.tokenizer,
        ) == ("gadre", "exponential", "runs", "here", "x")

    def test_keeps_names_as_written(self, tmp_path: Path) -> None:
        rows = "".join(
            f"{name},1e8,2e9,null,1.2,\n" for name in ("NA", "007", "1.50", "nan", "True")
        )
        ladder = read_csv(write(tmp_path, RUNS.format(rows)))
        assert list(ladder.runs.index) == ["NA", "007", "1.50", "nan", "True"]
        assert ladder.loss_names == ["null"]

    def test_takes_a_byte_order_mark_and_integers_beyond_64_bits(self, tmp_path: Path) -> None:
        ladder = read_csv(
            write(
                tmp_path,
                b"\xef\xbb\xbfrun,params,tokens,task,loss,flops\na,100000000,2000000000,c4,3.1,471948036096000000000000\n",
            )
        )
        assert ladder.compute()["a"] == 471948036096000000000000.0

    def test_gives_back_what_was_written(self, tmp_path: Path, checkpoints: Ladder) -> None:
        runs, tasks = tmp_path / "r.csv", tmp_path / "t.csv"
        checkpoints.frame.to_csv(runs, index=False)
        checkpoints.task_table.to_csv(tasks)
        again = read_csv(runs, tasks=tasks)
        pd.testing.assert_frame_equal(again.frame, checkpoints.frame, rtol=1e-14)
        pd.testing.assert_frame_equal(again.task_table, checkpoints.task_table, rtol=1e-14)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "empty"),
            (b" \n\n", "empty"),
            (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "binary"),
            ("run,params\na,1".encode("utf-16"), "binary"),
            (b"run,params\n\xe9\xe8,1\n", "UTF-8"),
            (b"run,params\na,1\nb,2,3\n", "Expected 2 fields in line 3, saw 3"),
            (b'run,params\n"a,1\n', "comma-separated"),
            (b"run,params\na,1,2\nb,1,2\n", "longer than the header"),
            (b"run,loss,loss\na,1,2\n", "'loss' twice"),
        ],
    )
    def test_names_a_file_that_is_not_csv(self, tmp_path: Path, content: bytes, words: str) -> None:
        with pytest.raises(FileError) as caught:
            read_csv(write(tmp_path, content))
        assert_one_line(caught.value, words, "runs.csv")

    def test_names_a_path_that_is_not_there_and_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(FileError) as caught:
            read_csv(tmp_path / "absent.csv")
        assert_one_line(caught.value, "must exist", "absent.csv")
        with pytest.raises(FileError) as caught:
            read_csv(str(tmp_path))
        assert_one_line(caught.value, "got a folder", str(tmp_path))

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (RUNS.format(""), "got an empty table"),
            ("model,size\na,1\n", "columns 'run', 'params', 'tokens', 'task', 'loss' of the run"),
            (RUNS.format(ROW.replace("1.2", "NA")), "got nothing (an empty cell)"),
            (RUNS.format(ROW.replace("1.2", "low")), "must be a number; got 'low'"),
            (RUNS.format(ROW.replace("0.3", "30")), "divide the column by 100"),
            (RUNS.format(ROW), "chance of task 'mmlu'"),
        ],
    )
    def test_leaves_the_tables_rules_to_the_ladder(
        self, tmp_path: Path, text: str, words: str
    ) -> None:
        with pytest.raises(DataError) as caught:
            read_csv(write(tmp_path, text))
        assert_one_line(caught.value, words)

    def test_names_a_task_table_that_is_not_right(self, tmp_path: Path) -> None:
        path = write(tmp_path, RUNS.format(ROW))
        with pytest.raises(FileError) as caught:
            read_csv(path, tasks=write(tmp_path, "", "tasks.csv"))
        assert_one_line(caught.value, "empty", "tasks.csv")
