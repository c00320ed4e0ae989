"""The pages in docs/: every public name, the folders in their order, and no link to a missing page.

The build itself is CI's.
"""

import re
from pathlib import Path

import pytest

import bayescale
from bayescale import plots
from house.test_architecture import STAGES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)|\{download\}`[^`<]*<([^>`]+)>`")
PLACE = re.compile(r"`((?:bayescale|tests|docs|notebooks)/[\w./-]*)`")


def text(page: str) -> str:
    return (DOCS / f"{page}.md").read_text("utf-8")


def anchors(path: Path) -> set[str]:
    """The headings of a page as the address of a link spells them."""
    headings = re.findall(
        r"^#+ (.*)$",
        re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE),
        re.MULTILINE,
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_api_page_has_every_public_name_and_no_other() -> None:
    documented = re.findall(
        r"^\.\. (?:auto\w+|py:\w+):: bayescale\.(\w+)(?:\(\))?$", text("api"), re.MULTILINE
    )
    assert sorted(documented) == sorted(bayescale.__all__)
    figures = re.findall(
        r"^\.\. autofunction:: bayescale\.plots\.(\w+)$", text("api"), re.MULTILINE
    )
    assert sorted(figures) == sorted(plots.__all__)


def test_architecture_page_lists_the_folders_in_order() -> None:
    block = text("architecture").split("```")[1]
    assert [name.rstrip("/") for name in re.findall(r"^  (\w+/?) ", block, re.MULTILINE)] == STAGES


def test_every_page_is_in_the_toctree() -> None:
    trees = re.findall(r"```\{toctree\}\n(.*?)```", text("index"), re.DOTALL)
    listed = [
        line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")
    ]
    assert sorted(["index", *listed]) == [page.stem for page in PAGES]


@pytest.mark.parametrize("page", [*sorted(ROOT.glob("*.md")), *PAGES], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    content = page.read_text("utf-8")
    for file, anchor, download in LINK.findall(content):
        target = (page.parent / (download or file)).resolve() if download or file else page
        assert target.is_file(), f"{page.name} links to {download or file}"
        assert not anchor or anchor in anchors(target), f"{page.name} links to {file}#{anchor}"
    for place in PLACE.findall(content):
        assert (ROOT / place).exists(), f"{page.name} names {place}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_fetch_nothing(page: Path) -> None:
    assert not re.search(
        r"<(script|img|link|iframe)\b|!\[[^\]]*\]\(https?:", page.read_text("utf-8")
    )
