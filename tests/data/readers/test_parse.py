"""Files that a user names: whether they are there, are text and parse."""

from pathlib import Path

import pytest

from bayescale.data.readers.parse import (
    list_files,
    pick,
    read_json,
    read_table,
    read_text,
    require_folder,
)
from bayescale.errors import FileError
from helpers.tables import assert_one_line, write


class TestFolders:
    def test_a_folder_is_given_back_as_a_path(self, tmp_path: Path) -> None:
        assert require_folder(str(tmp_path)) == tmp_path

    def test_files_are_sorted_by_name(self, tmp_path: Path) -> None:
        for name in ("b.json", "a.json", "c.csv"):
            write(tmp_path, "{}", name)
        assert [path.name for path in list_files(tmp_path, "*.json")] == ["a.json", "b.json"]

    def test_what_is_there_instead_is_said(self, tmp_path: Path) -> None:
        path = write(tmp_path, "{}", "a.json")
        for place, got in ((path, "a file"), (tmp_path / "nowhere", "nothing there")):
            with pytest.raises(FileError, match="must be a folder") as caught:
                require_folder(place)
            assert_one_line(caught.value, repr(str(place)))
            assert caught.value.got == got
        with pytest.raises(FileError, match=r"must hold files \*\.csv") as caught:
            list_files(tmp_path, "*.csv")
        assert_one_line(caught.value, repr(str(tmp_path)))


class TestText:
    def test_a_byte_order_mark_is_no_text(self, tmp_path: Path) -> None:
        assert read_text(write(tmp_path, "\ufeffrun\n")) == "run\n"

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "an empty file"),
            (b" \n\t", "an empty file"),
            (b"a,b\n1,\0\n", "a NUL byte"),
            ("a,b\né".encode("latin-1"), "at 4"),
        ],
    )
    def test_what_is_no_text_is_said(self, tmp_path: Path, content: bytes, words: str) -> None:
        with pytest.raises(FileError) as caught:
            read_text(write(tmp_path, content))
        assert_one_line(caught.value, words)


class TestTables:
    def test_columns_of_text_stay_as_they_are_written(self, tmp_path: Path) -> None:
        path = write(tmp_path, "run,loss\n007,1.5\nNA,\nnan,2\n")
        table = read_table(path, text=["run"], needed=["loss"])
        assert list(table["run"]) == ["007", "NA", "nan"]
        assert table["loss"].isna().tolist() == [False, True, False]

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ("a,b\n1,2\n1,2,3\n", ["comma-separated", "line 3"]),
            ("a,b\nx,2,3\ny,5,6\n", ["header", "longer than the header"]),
            pytest.param(
                "a,b\n1,2,3\n2,5,6\n",
                ["header", "longer than the header"],
                marks=pytest.mark.xfail(
                    reason="pandas 3 labels rows that count up by a RangeIndex", strict=True
                ),
            ),
            ("a,b,a\n1,2,3\n", ["'a' twice"]),
            ("a,b\n1,2\n", ["'loss'", "2 others"]),
        ],
    )
    def test_a_wrong_table_is_told(self, tmp_path: Path, content: str, words: list[str]) -> None:
        with pytest.raises(FileError) as caught:
            read_table(write(tmp_path, content), needed=["loss"])
        assert_one_line(caught.value, *words)


class TestJson:
    def test_an_object_is_read(self, tmp_path: Path) -> None:
        assert read_json(write(tmp_path, '{"a": [1, 2]}')) == {"a": [1, 2]}

    @pytest.mark.parametrize(
        ("content", "words"), [('{"a": ', "must be JSON"), ("[1, 2]", "got list")]
    )
    def test_anything_else_is_told(self, tmp_path: Path, content: str, words: str) -> None:
        with pytest.raises(FileError) as caught:
            read_json(write(tmp_path, content))
        assert_one_line(caught.value, words)

    def test_a_field_is_found_inside_others(self, tmp_path: Path) -> None:
        record = {"a": [{"b": 0}]}
        assert pick(record, "a", 0, "b", path=tmp_path) == 0
        assert pick(record, path=tmp_path) is record

    @pytest.mark.parametrize(
        ("keys", "where"),
        [(("c",), "'c'"), (("a", 1), "'a.1'"), (("a", 0, "b", "c"), "'a.0.b.c'")],
    )
    def test_a_missing_field_is_named_with_the_way_to_it(
        self, tmp_path: Path, keys: tuple[str | int, ...], where: str
    ) -> None:
        with pytest.raises(FileError) as caught:
            pick({"a": [{"b": 0}]}, *keys, path=tmp_path / "x.json")
        assert_one_line(caught.value, "x.json", f"must have a field {where}")
