"""Names of any letters as a terminal and a page show them."""

from bayescale.data.names import MAX_LISTED, listed, paragraph, suggested, visible
from helpers.pages import Page

EVIL = '<img src=x onerror=alert(1)> "q" & $x$ [x] [/red] a/b=c, \x1b[31m\x07\nnext \U0001f680'


class TestHtml:
    def test_a_paragraph_is_text(self) -> None:
        assert paragraph("a plain text, 90 %") == "<p>a plain text, 90 %</p>"
        assert paragraph(EVIL).startswith("<p>&lt;img src=x")
        assert Page(paragraph(EVIL)).text == EVIL


class TestTerminal:
    def test_visible_changes_control_characters_alone(self) -> None:
        assert (
            visible("allenai/c4 [x] ü 中文 \u00a0 \U0001f469\u200d\U0001f680")
            == "allenai/c4 [x] ü 中文 \u00a0 \U0001f469\u200d\U0001f680"
        )
        assert (
            visible("a\x1b[2J\x07\r\n\t\x7f\x9b\u2028\u202e\ud800")
            == r"a\x1b[2J\x07\r\n\t\x7f\x9b\u2028\u202e\ud800"
        )


def test_many_names_are_cut_and_controls_are_shown() -> None:
    assert listed(range(MAX_LISTED)).endswith(f", {MAX_LISTED - 1}")
    assert listed(range(MAX_LISTED + 3)).endswith(" and 3 more")
    assert listed(["a\n", "b"]) == r"a\n, b"


def test_a_mistyped_name_is_answered_with_those_that_look_like_it() -> None:
    known = ["mmlu", "piqa", "arc_easy", "arc_challenge"]
    assert suggested("mmul", known) == "mmlu"
    assert set(suggested("arc_eazy", known).split(" or ")) >= {"arc_easy"}
    assert suggested("chess", known) == "mmlu, piqa, arc_easy, arc_challenge"
