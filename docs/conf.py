"""Sphinx's settings: ``python -m sphinx -W -n -b html docs docs/_build``, which fetches nothing."""

import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "bayescale"
author = "the bayescale authors"
copyright = author
release = version = version_of("bayescale")

extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc", "prior_table"]
exclude_patterns = ["_build", "jupyter_execute"]
nb_execution_mode = "off"
myst_heading_anchors = 2

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
numpydoc_show_class_members = False
toc_object_entries_show_parents = "hide"

# Names of other projects, and inner classes and type aliases: no page lists them.
nitpick_ignore_regex = [("py:.*", r"(?!bayescale\.).*"), ("py:class", r"bayescale(\.\w+){2,}")]

html_theme = "alabaster"
html_theme_options = {
    "description": "Bayesian scaling laws",
    "page_width": "1240px",
    "body_max_width": "none",
    "sidebar_width": "230px",
    "code_font_size": "0.8em",
    "fixed_sidebar": True,
    "show_powered_by": False,
}
html_copy_source = False


def shorten(app, what, name, obj, options, signature, returns):  # noqa: ARG001 (Sphinx's own form)
    """A function that is a default value has no short form: three dots."""
    return (
        re.sub(r"<function [^<>]*(<\w+>)?[^<>]*>", "...", signature) if signature else signature
    ), returns


def setup(app):
    app.connect("autodoc-process-signature", shorten)
