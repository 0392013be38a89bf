"""The site of README and docs: `make site`."""

from typing import Any

project = "Logistic regression from scratch"
root_doc = "README"
extensions = ["myst_parser"]
include_patterns = ["*.md", "docs/*.md", "benchmarks/README.md"]
myst_heading_anchors = 3  # as GitHub makes them
highlight_language = "none"
html_theme = "furo"
html_title = project
NAVIGATION = """
```{toctree}
:hidden:
:glob:

docs/tutorial
docs/own-table
docs/use
docs/*
benchmarks/README
CONTRIBUTING
CHANGELOG
```
"""


def add_navigation(app: Any, name: str, text: list[str]) -> None:
    """The README is the front page; GitHub would show a table of contents in it as code."""
    if name == root_doc:
        text[0] += NAVIGATION


def setup(app: Any) -> None:
    app.connect("source-read", add_navigation)
