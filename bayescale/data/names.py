"""How a text that holds a user's names is shown: as HTML, and on a terminal."""

from __future__ import annotations

import html
import unicodedata

# categories: controls, halves of surrogate pairs, line and paragraph separators
CONTROLS = {"Cc", "Cs", "Zl", "Zp"}
# turn the order of the letters that follow
DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def paragraph(text: object) -> str:
    """An HTML paragraph that shows the text as it is: nothing in it is markup."""
    return f"<p>{html.escape(str(text))}</p>"


def visible(text: object) -> str:
    r"""The text with each control character written as its escape, such as ``\x1b``: a terminal
    obeys none of them.
    """
    return "".join(c.encode("unicode_escape").decode() if _controls(c) else c for c in str(text))


def _controls(character: str) -> bool:
    """Whether a terminal would obey the character instead of showing it."""
    return (
        unicodedata.category(character) in CONTROLS
        or unicodedata.bidirectional(character) in DIRECTIONS
    )
