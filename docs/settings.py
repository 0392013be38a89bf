"""Write docs/settings.md from the comments in conf/: `python docs/settings.py`. A test compares the two."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEAD = """# Settings

Made from `conf/` by `python docs/settings.py`. Each setting is set by the override beside it, as in
`dvc exp run -S train.lambda=0.1`, or in its file.
"""


def page() -> str:
    files = sorted((ROOT / "conf").rglob("*.yaml"), key=lambda file: (file.parent != ROOT / "conf", file.as_posix()))
    return HEAD + "".join(section(file) for file in files if not _is_of_a_table(file))


def _is_of_a_table(file: Path) -> bool:
    """A file of one table, as `use` writes it, whose settings are those of conf/data/table.yaml."""
    return file.parent.name == "data" and "\n  - table" in file.read_text(encoding="utf-8")


def section(file: Path) -> str:
    """The settings of a file: the lines `key: value` with the comments above them."""
    rows: list[str] = []
    comment: list[str] = []
    group = ""
    for line in file.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"( *)# ?(.*)", line):
            comment.append(found[2])
            continue
        if found := re.match(r"( *)([a-z0-9_]+):(.*)", line):
            indent, key, value = found[1], found[2], found[3].split(" #")[0].strip()
            if value.startswith("[") and not value.endswith("]"):  # it goes on in the next line
                value = "[...]"
            if not indent:
                group = "" if value else key
            if comment and key != "defaults" and group != "defaults":
                text, _, override = " ".join(comment).partition("  -S ")
                text, override = (text, override) if override else _at_the_end(comment)
                code = _code(f"-S {override}" if override else "")
                rows.append(f"| `{key}` | `{value or '...'}` | {_escaped(text)} | {code} |\n")
        comment = []
    name = file.relative_to(ROOT).as_posix()
    if not rows:
        return ""
    return f"\n## {name}\n\n| setting | default | what it does | override |\n|---|---|---|---|\n" + "".join(rows)


def _at_the_end(comment: list[str]) -> tuple[str, str]:
    """Text and override of a comment whose last line is the override."""
    *text, last = comment
    return (" ".join(text), last.removeprefix("-S ")) if last.startswith("-S ") else (" ".join(comment), "")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`" if text else ""


if __name__ == "__main__":
    (ROOT / "docs" / "settings.md").write_text(page(), encoding="utf-8")
