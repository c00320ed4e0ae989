"""Names from a table: how HTML, a message and a terminal show them."""

from __future__ import annotations

import difflib
import html
import unicodedata
from collections.abc import Collection, Iterable

# A list of names shows at most this many.
MAX_LISTED = 8

# Unicode categories of characters that a terminal obeys: controls (Cc), halves of surrogate pairs
# (Cs), line separators (Zl) and paragraph separators (Zp).
CONTROLS = {"Cc", "Cs", "Zl", "Zp"}
# Unicode bidirectional classes of characters that change the direction of the text after them.
DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def paragraph(text: object) -> str:
    """An HTML paragraph that shows the text as it is: nothing in the text is read as markup.

    Parameters
    ----------
    text
        Any object; its `str` is shown.

    Returns
    -------
    str
        The text in a ``<p>`` element, with every HTML character escaped.
    """
    return f"<p>{html.escape(str(text))}</p>"


def visible(text: object) -> str:
    r"""The text with each control character written as its escape, such as ``\x1b``.

    A terminal then shows the text and obeys none of its characters.

    Parameters
    ----------
    text
        Any object; its `str` is shown.

    Returns
    -------
    str
        The text on one line, without control characters.
    """
    return "".join(
        character.encode("unicode_escape").decode() if _controls(character) else character
        for character in str(text)
    )


def listed(names: Iterable[object]) -> str:
    """Names with commas between them, the first few of many.

    Parameters
    ----------
    names
        Names from a table or a file; a control character is shown as its escape.

    Returns
    -------
    str
        At most `MAX_LISTED` names, and how many more there are.
    """
    shown = [visible(name) for name in names]
    more = len(shown) - MAX_LISTED
    return ", ".join(shown[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


def suggested(name: object, known: Collection[str]) -> str:
    """The known names that look like this one, or the first few of all.

    Parameters
    ----------
    name
        A name that is not known.
    known
        All names that are.

    Returns
    -------
    str
        Names with "or" between them, or a list with commas.
    """
    near = difflib.get_close_matches(str(name), known, n=5)
    return " or ".join(visible(one) for one in near) if near else listed(known)


def _controls(character: str) -> bool:
    """Whether a terminal would obey the character instead of showing it."""
    return (
        unicodedata.category(character) in CONTROLS
        or unicodedata.bidirectional(character) in DIRECTIONS
    )
