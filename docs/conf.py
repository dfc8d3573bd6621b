"""Sphinx configuration: make docs."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import featx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from tables import GENERATED  # noqa: E402

# OpenMP threads wait for each other, which takes long on a loaded machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

project = "featx"
author = "The featx developers"
version = release = featx.__version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",
]
templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "show_prev_next": False,
}
html_show_sourcelink = False
html_title = "featx"
html_sidebars = {page: [] for page in ("concepts", "glossary")}
exclude_patterns = ["sg_execution_times.rst"]
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
# Docstrings state the types.
autodoc_typehints = "none"
autosummary_generate = True
nitpicky = True
nitpick_ignore_regex = [
    # Other projects' types, whose inventories need a network, and internal types in signatures.
    ("py:.*", r"(collections|numpy|os|pandas|pathlib|pyarrow|sklearn)\..*"),
    ("py:class", r"featx\.\w+\.\w+\..*|Plots"),
]
numpydoc_show_class_members = False
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/\d\d_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "show_memory": False,
    "show_signature": False,
}

#: Pages of the repository's root that are also pages of the documentation.
ROOT_PAGES = {
    "ARCHITECTURE.md": "development/architecture.md",
    "CHANGELOG.md": "development/changes.md",
    "CONTRIBUTING.md": "development/contributing.md",
    "SECURITY.md": "development/security.md",
    "examples": "gallery/index",
}


def fill(app: Any, page: str, source: list[str]) -> None:
    """Insert generated tables and root pages, and adapt links that leave docs/."""
    if Path(app.env.doc2path(page)).suffix != ".md":
        return
    folder, text = (HERE / page).parent, source[0]
    if included := re.fullmatch(r"<!-- included: (.*) -->\n", text):
        file = Path(os.path.normpath(folder / included[1]))
        folder, text = file.parent, file.read_text(encoding="utf-8")
    text = re.sub(
        r"^<!-- generated: (\w+) -->$", lambda name: GENERATED[name[1]](), text, flags=re.M
    )
    parts = re.split(r"^(```.*?^```)$", text, flags=re.MULTILINE | re.DOTALL)
    parts[::2] = [_LINK.sub(lambda link: _link(link, folder), part) for part in parts[::2]]
    source[0] = "".join(parts)


_LINK = re.compile(r"(!?\[[^\]]*\])\(([^)#:\s]+)(#[^)\s]*)?\)")


def _link(link: re.Match[str], folder: Path) -> str:
    """Adapt a link to a file: plain text for a file that is no page of the documentation."""
    text, target = link[1], Path(os.path.normpath(folder / link[2]))
    if not target.is_relative_to(HERE.parent) or not target.exists():
        return link[0]
    name = target.relative_to(HERE.parent).as_posix()
    if not target.is_relative_to(HERE) and name not in ROOT_PAGES:
        return text[1:-1] if name in text else f"{text[1:-1]} (`{name}`)"
    page = ROOT_PAGES.get(name) or target.relative_to(HERE).as_posix()
    return f"{text}(/{page}{link[3] or ''})"


def setup(app: Any) -> None:
    """Register the step that completes Markdown pages before they are parsed."""
    app.connect("source-read", fill)
