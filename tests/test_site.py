"""`make site`: pages that need no internet, with formulas that browsers set. Skipped without the group `site`."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("material", "latex2mathml"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    for page in site.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<(script|img|link rel=.?stylesheet)[^>]*https?:", text), page.name
    assert (site / "search" / "search_index.js").exists()  # what a search from a file reads


def test_formulas_are_set_and_none_is_left_as_latex(site: Path) -> None:
    text = (site / "tutorial.html").read_text(encoding="utf-8")
    source = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    assert text.count("<math ") == len(re.findall(r"(?m)^\$\$$", source)) / 2 > 8
    formulas = re.findall(r"<math .*?</math>", text, re.DOTALL)
    assert not [formula for formula in formulas if re.search(r"[\\$]|&amp;", formula)]
    assert ">Tutorial<" in re.sub(r"\s", "", text)
