"""For `make site`: README, CONTRIBUTING and CHANGELOG are pages, too; links to code become the names of files.

Formulas, in LaTeX between lines of `$$` as GitHub and Jupyter read them, become MathML, which browsers set themselves.
"""

import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "CONTRIBUTING.md", "CHANGELOG.md": "CHANGELOG.md"}


def on_files(files: Files, config: Any) -> Files:
    for name, page in PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    for name, page in PAGES.items():
        markdown = markdown.replace(f"](../{name}", f"]({page}").replace(f"]({name}", f"]({page}")
    markdown = re.sub(r"(?ms)^\$\$\n(.*?)\n\$\$$", _formula, markdown)
    return re.sub(r"\[([^\]]+)\]\((?:\.\./|conf/|tests/|pipeline/|LICENSE)[^)]*\)", r"\1", markdown)


def _formula(found: re.Match[str]) -> str:
    return convert(found[1].replace("{aligned}", "{align*}"), display="block")


def on_post_page(output: str, **_: Any) -> str:
    return output.replace("https://unpkg.com/iframe-worker/shim", "iframe-worker.js")  # no page needs the internet


def on_post_template(output_content: str, **_: Any) -> str:
    return on_post_page(output_content)
