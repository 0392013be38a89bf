"""The result to hand on: one page, and the same as a model card in Markdown.

The sections are data (`Section`), which two templates render: `page.html` with pictures as SVG and a part that can be
moved, `card.md` with pictures as links. The page needs no other file and works from disk. Names and categories of the
table are escaped. Both are the same bytes for the same result: what is logged to MLflow has the commit and the command
in place of `MADE` (`with_origin`).
"""

import base64
import hashlib
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from pipeline import config, model
from pipeline.columns.roles import FEATURES, SPECIAL
from pipeline.evaluation import good, learnt, verdict
from pipeline.evaluation.page import Block, Folded, Read, Section, Table
from pipeline.files import formats, paths, stored

SECTIONS = ("data", "split", "train", "decision", "evaluate")  # that decide the result
MADE = "The commit is the one that git has for these files."


def write(root: Path, folder: Path, params: dict[str, Any]) -> None:
    """Write the page and the card on the result below `root` to `folder`; `params` are the sections that decided it."""
    result, described = paths.main_result(root), config.section_of(params, "data", "params.yaml")
    read = Read(
        root,
        result,
        params,
        model.load(root / paths.MODEL),
        stored.StoredTable(root / paths.TEST_ROWS),
        formats.load_csv(root / paths.PREDICTIONS),
        formats.load_csv(root / paths.EVALUATION / "scores.csv"),
        verdict.target_of(result),
    )
    split = formats.load_json(root / paths.SPLIT_SUMMARY)
    values = {
        "title": f"{described.title}: predicting {read.target}",
        "lead": f"A logistic regression of {split['training_rows']:,} rows of {described.source}, judged on "
        f"{split['test_rows']:,} rows that had no part in training.",
        "verdict": verdict.sentences(result, read.decision),
        "sections": [good.section(read), learnt.section(read), _warned(read), _data(read), _made(read)],
    }
    for template, name in (("page.html", paths.REPORT.name), ("card.md", paths.CARD.name)):
        formats.save_text(_template(template).render(values), folder / name)


def with_origin(file: Path, commit: str, command: str, settings: list[str]) -> str:
    """The page or the card of `file` with where it is from in place of `MADE`.

    settings are those that are not as in conf/. `without_origin` leaves out what this adds.
    """
    made = f"The commit is {commit}. Made again, and compared, by: {command}. "
    made += (
        f"Settings that are not those of conf/: {'; '.join(settings)}." if settings else "All settings are of conf/."
    )
    return file.read_text(encoding="utf-8").replace(MADE, str(escape(made)) if file.suffix == ".html" else made)


def without_origin(text: str) -> str:
    return re.sub("The commit is .*", "", text)


def _warned(read: Read) -> Section:
    files = (paths.PROFILE, paths.SPLIT_SUMMARY, paths.TRAINING_WARNINGS, paths.EVALUATION_WARNINGS)
    lines = [line for file in files for line in formats.load_json(read.root / file)["warnings"]]
    return Section("warnings", "Warnings", [Block("items", lines) if lines else Block("text", "None.")])


def _data(read: Read) -> Section:
    report = formats.load_columns(read.root / paths.COLUMNS)
    used = report[report["role"].isin([*FEATURES, *SPECIAL])]
    blocks: list[Any] = [
        Block(
            "items",
            [f"{name}: {n:,} rows" for name, n in formats.load_json(read.root / paths.PROFILE)["classes"].items()],
        )
    ]
    for caption, rows in (("Columns that are used", used), ("Columns that are left out", report.drop(used.index))):
        if len(rows):
            cells = (
                rows[["column", "role", "reason", "missing"]].astype(object).fillna("").astype(str).to_numpy().tolist()
            )
            table = Table(caption, ["column", "role", "reason", "missing cells"], cells)
            blocks.append(Folded(f"{caption}: {len(rows):,}", [table]))
    return Section("data", "The data", blocks)


def _made(read: Read) -> Section:
    settings = [
        [key, "null" if value is None else str(value)] for key, value in sorted(config.flatten(read.params).items())
    ]
    files = (paths.TABLE, paths.TRAINING_ROWS, paths.TEST_ROWS)
    digests = [[str(name), _digest(read.root / name)] for name in files]
    blocks = [
        Block("text", MADE),
        Block(
            "text",
            "With it, with params.yaml as below, and with the same files under data/, `dvc repro` makes the same.",
        ),
        Folded("All settings", [Table("Settings", ["key", "value"], settings)]),
        Folded("Digests of the rows", [Table("SHA-256", ["file", "digest"], digests)]),
    ]
    return Section("made", "How it was made", blocks)


def write_watch(
    path: Path,
    file: str,
    described: str,
    n_rows: int,
    changes: pd.DataFrame,
    judged: pd.DataFrame | None,
    panels: dict[str, pd.DataFrame],
) -> None:
    """Write the page on the rows of `file`, beside those of `data`, to `path`; the others are as of `drift.Watch`."""
    from pipeline.figures import data, drawing  # matplotlib is slow to import

    with TemporaryDirectory() as folder:
        drawing.save(data.drift, Path(folder) / "drift.png", described, panels=panels)
        picture = base64.b64encode((Path(folder) / "drift.png").read_bytes()).decode()
    text = _template("watch.html").render(
        file=file,
        data=described,
        n_rows=n_rows,
        changed=changes.loc[changes["changed"], "column"].tolist(),
        changes=changes.to_dict("records"),
        scores=[] if judged is None else judged.to_dict("records"),
        picture=picture,
    )
    formats.save_text(text, path)


def _template(name: str) -> jinja2.Template:
    """Of pages, with names of the table escaped; the card escapes by itself."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=name.endswith(".html"),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cell": _markdown, "code": _with_code}
    return environment.get_template(name)


def _with_code(text: str) -> Markup:
    """What is between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _markdown(text: object) -> str:
    """A name of the table as text in Markdown: nothing in it is markup, and it stays in its line and cell."""
    return re.sub(r"([\\`*_{}<>|#]|\](?=[(\[:]))", r"\\\1", " ".join(str(text).split()))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
