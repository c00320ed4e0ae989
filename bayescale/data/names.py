"""How a text that holds a user's names is shown: as HTML, and on a terminal."""

from __future__ import annotations

import html
import unicodedata

# Unicode categories: controls, halves of surrogate pairs, line and paragraph separators.
CONTROLS = {"Cc", "Cs", "Zl", "Zp"}
# Unicode bidirectional classes of the characters that change the direction of the text after them.
DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def paragraph(text: object) -> str:
    """An HTML paragraph that shows the text as it is: no character of it is read as markup.

    Parameters
    ----------
    text
        What to show; its ``str`` is taken.
    """
    return f"<p>{html.escape(str(text))}</p>"


def visible(text: object) -> str:
    r"""The text with each control character as its escape, such as ``\x1b``, for a terminal.

    A terminal then obeys none of these characters.

    Parameters
    ----------
    text
        What to show; its ``str`` is taken.
    """
    return "".join(c.encode("unicode_escape").decode() if _controls(c) else c for c in str(text))


def _controls(character: str) -> bool:
    """Whether a terminal would obey the character instead of showing it."""
    return (
        unicodedata.category(character) in CONTROLS
        or unicodedata.bidirectional(character) in DIRECTIONS
    )
