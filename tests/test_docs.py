"""README and docs: links lead somewhere, commands exist, and the page of settings is that of conf/."""

import re
import runpy
from pathlib import Path

import pytest
from conftest import ROOT

from pipeline.__main__ import COMMANDS, STAGES

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "benchmarks" / "README.md"])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"(?m)^#+ (.*)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    text = re.sub(r"(?s)```.*?```", "", page.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.name != "CHANGELOG.md":  # it has the names of old commands, too
        assert set(re.findall(r"python -m pipeline ([a-z_]+)", text)) <= {*STAGES, *COMMANDS}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?m)^([a-z]+):", makefile))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)) <= targets


def test_every_picture_has_a_text() -> None:
    for page in PAGES:
        assert all(re.findall(r"!\[(.*?)\]", page.read_text(encoding="utf-8").replace("\n", " "))), page


def test_the_page_of_settings_is_that_of_conf() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "settings.py"))["page"]()
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == made, "run: python docs/settings.py"


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, waiting = set(), {ROOT / "README.md"}
    while waiting:
        seen |= waiting
        links = {
            (page.parent / link.partition("#")[0]).resolve()
            for page in waiting
            for link in re.findall(r"\]\(([^)\s]+\.md[^)\s]*)\)", page.read_text(encoding="utf-8"))
            if not link.startswith("http")
        }
        waiting = links - seen
    assert set(ROOT.glob("docs/**/*.md")) <= seen
