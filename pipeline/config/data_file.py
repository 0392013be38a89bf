"""A file of `conf/data/` for a table: what differs from `table.yaml`, with comments, as a user would write it.

    # data/telco.csv, to predict 'Churn'.
    # -S data=telco
    defaults:
      - table
      - _self_

    # Where the file is.  -S data.path=data/telco.csv
    path: data/telco.csv

With settings of other sections than `data`, such as split=time, it is a file of the package `_global_`.
"""

import re
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from pipeline import config
from pipeline.config import data_sets
from pipeline.config.composition import CONF, compose, differences
from pipeline.config.data_sets import PATTERN
from pipeline.errors import UserError
from pipeline.overrides import assignment, override

PACKAGE = "# @package _global_"
Comments = dict[str, list[str]]  # the lines above a key, by `section.key`


def write(name: str, overrides: list[str]) -> list[str]:
    """Write conf/data/<name>.yaml of a table that conf/ with `overrides` describes; what it replaces is returned.

    The file that is replaced keeps its comments and its choices. Errors: `UserError` for a setting that can't come with
    a data set; the file is then as it was.
    """
    file = data_sets.file_of(name)
    before = file.read_bytes() if file.exists() else None
    asked = config.parse(compose(overrides), "conf/")
    choices = _choices_of(file) | _choices(overrides)
    pattern = [f"data={PATTERN}", *(f"{group}={choice}" for group, choice in choices.items())]
    data = _differing(asked["data"], config.parse(compose(pattern), "conf/")["data"])
    usual = config.parse(compose([*pattern, *(assignment(f"data.{key}", data[key]) for key in data)]), "conf/")
    others = {section: _differing(asked[section], usual.get(section, {})) for section in asked if section != "data"}
    others = {section: values for section, values in others.items() if values}
    was = config.parse(compose([f"data={name}"]), "conf/") if before else {}
    file.write_text(_text(name, data, others, choices, _comments(file, name, data, choices)), encoding="utf-8")
    now = config.parse(compose([f"data={name}"]), "conf/")
    if now != asked:
        lost = sorted(key for key, value in config.flatten(asked).items() if config.flatten(now).get(key) != value)
        file.unlink() if before is None else file.write_bytes(before)
        raise UserError(f"{', '.join(lost)} can't come with a data set. Set it in {data_sets.DEFAULTS}.")
    return [f"{key} = {new}, was {old}" for key, new, old in (differences(now, was) if before else [])]


def _text(name: str, data: dict[str, Any], others: dict[str, Any], choices: dict[str, str], comments: Comments) -> str:
    is_global = bool(others or choices)
    lines = [PACKAGE] if is_global else []
    lines += [*comments["defaults"], "defaults:", f"  - {PATTERN}{'@data' if is_global else ''}"]
    lines += [f"  - override /{group}: {choice}" for group, choice in choices.items()]
    lines += ["  - _self_", ""]
    for section, values in {"data": data, **others}.items():
        lines += [f"{section}:"] if is_global else []
        for key, value in values.items():
            entry = comments.get(f"{section}.{key}", []) + OmegaConf.to_yaml({key: value}).splitlines()
            lines += [f"  {line}" if is_global else line for line in entry]
    return "\n".join(lines) + "\n"


def _differing(values: Any, usual: Any) -> Any:
    """The part of nested values that is not as usual."""
    if not isinstance(values, dict) or not isinstance(usual, dict):
        return values
    parts = {key: _differing(value, usual.get(key)) for key, value in values.items() if value != usual.get(key)}
    return {key: part for key, part in parts.items() if part != {} or values[key] == {}}


def _choices(overrides: list[str]) -> dict[str, str]:
    """The files of groups that overrides choose, by group, but for that of the data."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_overrides(overrides)
    choices = {each.get_key_element().lstrip("+"): each for each in parsed if (CONF / each.key_or_group).is_dir()}
    return {key: str(each.value()) for key, each in choices.items() if key != "data"}


def _choices_of(file: Path) -> dict[str, str]:
    """The same of a file that is there."""
    values: Any = OmegaConf.to_container(OmegaConf.load(file)) if file.exists() else {}
    entries = [entry for entry in values.get("defaults", []) if isinstance(entry, dict)]
    chosen = [(key.split("/")[-1], str(each)) for entry in entries for key, each in entry.items() if "/" in key]
    return {re.sub(r"^(\w+)@_global_\.\1$", r"\1", key).replace("@_global_.", "@"): each for key, each in chosen}


def _comments(file: Path, name: str, data: dict[str, Any], choices: dict[str, str]) -> Comments:
    """Those of conf/, of the table's own keys, and of the file that is there."""
    comments: Comments = {}
    chosen = [CONF / group / f"{choice}.yaml" for group, choice in choices.items() if "@" not in group]
    for each in [*chosen, *sorted(CONF.glob("*/*.yaml"))]:
        section = {"optimizer": "train"}.get(each.parent.name, each.parent.name)
        comments = _read(each, section) | comments if section != "data" or each.stem == PATTERN else comments
    own = {
        "defaults": f"{data['path']}, to predict {data['target']}.",
        "data.path": f"Where the file is.  {override('data.path', data['path'])}",
        "data.target": f"The column to predict.  {override('data.target', data['target'])}",
    }
    comments |= {key: [f"# {text if text.isprintable() else repr(text)}"] for key, text in own.items()}
    comments["defaults"].append(f"# {override('data', name)}")
    return comments | (_read(file, "data") if file.exists() else {})


def _read(file: Path, section: str) -> Comments:
    """The comments above the keys of a file of one section or, in the package _global_, of several."""
    text = file.read_text(encoding="utf-8")
    is_global, comments, above, here = text.startswith(PACKAGE), Comments(), list[str](), section
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            above += [line.strip()] if line != PACKAGE else []
        elif found := re.match(r"( *)([a-z0-9_]+):", line):
            here = found[2] if is_global and not found[1] else here
            comments["defaults" if found[2] == "defaults" else f"{here}.{found[2]}"] = above
            above = []
        elif line.strip():
            above = []
    return {key: lines for key, lines in comments.items() if lines}
