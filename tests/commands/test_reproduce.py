"""Where a file of a run differs from the one that was made again."""

from pathlib import Path

import pytest

from pipeline.commands import reproduce
from pipeline.evaluation import report

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "then", "now", "expected"),
    [
        ("a.csv", "iteration,cost\n0,0.7\n1,0.5\n", "iteration,cost\n0,0.7\n1,0.5\n", ""),
        (
            "a.csv",
            "iteration,cost\n0,0.7\n1,0.5\n",
            "iteration,cost\n0,0.7\n1,0.51\n",
            "line 3 has 0.51, the run had 0.5",
        ),
        ("a.json", '{\n "x": -1e-05\n}', '{\n "x": -2e-05\n}', "line 2 has -2e-05, the run had -1e-05"),
        ("a.txt", "one\ntwo", "one", "line 2 is '', that of the run was 'two'"),
        ("a.csv", "a\nred 1", "a\nblue 1", "line 2 is 'blue 1', that of the run was 'red 1'"),
        ("a.png", "abc", "abcd", "other bytes (3 then, 4 now)"),
        ("a.html", "<p>The commit is 123abc, and more.</p>\n1", f"<p>{report.MADE}</p>\n1", ""),
        ("a.md", "The commit is 123abc.\n1", f"{report.MADE}\n2", "line 2 has 2, the run had 1"),
    ],
)
def test_the_first_number_that_differs_is_named(tmp_path: Path, name: str, then: str, now: str, expected: str) -> None:
    for folder, text in (("then", then), ("now", now)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(text)
    assert reproduce.compared(tmp_path / "then" / name, tmp_path / "now" / name) == expected


def test_a_file_that_is_not_written_any_more_is_a_difference(tmp_path: Path) -> None:
    (tmp_path / "then.csv").write_text("a")
    assert reproduce.compared(tmp_path / "then.csv", tmp_path / "now.csv") == "is not written any more"
