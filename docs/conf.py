"""How Sphinx builds the documentation: make docs."""

import os

import featx

# Two threads of a library wait for each other when the processors have other work to do.
os.environ.setdefault("OMP_NUM_THREADS", "1")

project = "featx"
author = "The featx developers"
version = release = featx.__version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",
]
templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_theme_options = {"show_prev_next": False, "navigation_with_keys": False}
html_title = "featx"
exclude_patterns = ["sg_execution_times.rst"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
autosummary_generate = True
numpydoc_show_class_members = False
suppress_warnings = [
    # Pages link to files of the repository, which are not part of the documentation.
    "myst.xref_missing",
]
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/\d\d_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "show_memory": False,
    "show_signature": False,
}
