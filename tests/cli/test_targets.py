"""Names with commas in them, and runs that are given by their size."""

import pytest

from bayescale.cli.candidates import parse_candidates
from bayescale.cli.targets import choose_targets, find_run, split_names
from bayescale.data.datasets import load_dataset
from bayescale.data.ladder import Ladder
from bayescale.decisions.cost import Cost
from bayescale.errors import DataError, SettingError

NONE_GIVEN = {"params": None, "tokens": None, "flops": None, "corpus": None}
COMMA = "13B.lr_1.2e-4,bs_1080"


@pytest.fixture(scope="module")
def commas() -> Ladder:
    """C4 losses of the ladder, where the names of three runs have commas and other signs."""
    rows = load_dataset("ladder2024").frame.query("task == 'c4'").drop(columns="accuracy")
    names = {"7B-4T": COMMA, "13B-5T": "13B.lr_1.2e-4", "1B-10xC": "1B,lr=3e-4"}
    return Ladder.from_frame(rows.assign(run=rows["run"].replace(names)), law="compute")


class TestSplitNames:
    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("a", ["a"]),
            ("a, b", ["a", "b"]),
            ("a,b,c", ["a,b,c"]),
            ("d,a,b,c,d", ["d", "a,b,c", "d"]),
            ("a,b,d", ["a,b", "d"]),
            ("x,a,b", ["x", "a,b"]),
            ("", []),
        ],
    )
    def test_the_longest_known_name_is_taken_from_the_left(
        self, text: str, names: list[str]
    ) -> None:
        assert split_names(text, {"a", "b", "d", "a,b", "a,b,c"}.__contains__) == names

    def test_empty_pieces_are_left_out(self) -> None:
        assert split_names(" a,,b ", {"a", "b"}.__contains__) == ["a", "b"]


class TestChooseTargets:
    @pytest.mark.parametrize(
        ("names", "chosen"),
        [
            (COMMA, [COMMA]),
            ("13B.lr_1.2e-4", ["13B.lr_1.2e-4"]),
            (f"13B.lr_1.2e-4,{COMMA}", [COMMA, "13B.lr_1.2e-4"]),
            ("1B,lr=3e-4, target", ["1B,lr=3e-4", COMMA, "13B.lr_1.2e-4"]),
        ],
    )
    def test_a_run_is_found_whose_name_holds_a_comma(
        self, commas: Ladder, names: str, chosen: list[str]
    ) -> None:
        targets = choose_targets(commas, names=names, **NONE_GIVEN)
        assert [target.label for target in targets] == chosen

    def test_a_piece_that_is_no_name_is_named(self, commas: Ladder) -> None:
        with pytest.raises(SettingError, match=r"got 'bs_1081'"):
            choose_targets(commas, names="13B.lr_1.2e-4,bs_1081", **NONE_GIVEN)


class TestCandidates:
    def test_names_with_commas_and_equals_signs_and_prices(self, commas: Ladder) -> None:
        text = "1B,lr=3e-4, 1B,lr=3e-4=200, 6e8:2e11=100"
        candidates = parse_candidates(text, commas, None, Cost("H100"))
        assert [(candidate.label, candidate.cost) for candidate in candidates] == [
            ("1B,lr=3e-4 again", None),
            ("1B,lr=3e-4 again", 200.0),
            ("6e+08 params, 2e+11 tokens", 100.0),
        ]


class TestFindRun:
    @pytest.fixture
    def corpora(self) -> Ladder:
        return load_dataset("gadre2024").where(task=["average46"])

    def test_a_name_or_a_size_with_its_corpus(self, corpora: Ladder) -> None:
        runs = corpora.targets("fit")
        assert find_run(runs[3].label, runs, corpora, None) == runs[3]
        for text, corpus in (("7e9:1e12:c4", None), ("7e9:1e12", "c4"), ("7e9:1e12:c4", "x")):
            run = find_run(text, runs, corpora, corpus)
            assert run is not None
            assert (run.params, run.tokens, run.corpus) == (7e9, 1e12, "c4")
        assert find_run("7B", runs, corpora, None) is None
        assert find_run("7e9:many", runs, corpora, None) is None

    @pytest.mark.parametrize(
        ("text", "rule"),
        [
            ("7e9:1e12", "must say which corpus"),
            ("7e9:1e12:pile", "must be a corpus of the ladder; got 'pile'"),
            ("-7e9:1e12:c4", "must be a positive finite number"),
        ],
    )
    def test_what_cannot_be_forecast_is_told(self, corpora: Ladder, text: str, rule: str) -> None:
        with pytest.raises(DataError, match=rule):
            find_run(text, [], corpora, None)
