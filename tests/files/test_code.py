"""The digests of the code of a stage. The oracle is what a change does to what Python runs."""

import ast

import pytest

from pipeline.files import code
from pipeline.files.code import Sources, stripped

SOURCE = '''"""A module."""

X = "#1"  # a comment


class A:
    """A class."""

    def f(self):
        """A function,

        with more."""
        return f"{X} # no comment"
'''


def digest_of(source: str) -> str:
    return stripped(source, ast.parse(source))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# a comment", "# another"),
        ("  # a comment", ""),
        ("A module", "Another one"),
        ("with more.", "with\\n\\n        less."),
        ("\n\n\nclass", "\n\n\n\n\nclass"),
    ],
)
def test_words_in_comments_and_docstrings_change_nothing(old: str, new: str) -> None:
    assert old in SOURCE
    assert digest_of(SOURCE.replace(old, new.replace("\\n", "\n"))) == digest_of(SOURCE)


@pytest.mark.parametrize(("old", "new"), [('"#1"', '"#2"'), ("# no comment", "# a string"), ("class A", "class B")])
def test_another_word_of_code_changes_it(old: str, new: str) -> None:
    assert old in SOURCE
    assert digest_of(SOURCE.replace(old, new)) != digest_of(SOURCE)


def test_what_is_left_of_each_file_of_the_package_runs_as_the_whole() -> None:
    for file in code.PACKAGE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        tree = ast.parse(text)
        rest = stripped(text, tree)
        names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        assert all(f" {name}" in rest for name in names)


def test_a_stage_needs_the_templates_that_its_code_names() -> None:
    files = [file.name for file in Sources().needed("pipeline.stages.report")]
    assert {"page.html", "base.html", "page.js", "card.md", "watch.html", "report.py", "errors.py"} <= set(files)
    assert "estimator.py" not in files
