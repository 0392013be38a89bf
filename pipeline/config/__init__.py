"""`params.yaml` to typed, validated objects: `read("train").learning_rate`.

Values are read with OmegaConf (a bare YAML 1.1 loader would take `1e-3` for a string) and checked by pydantic; whatever
is wrong becomes one `UserError` that names key, value and what is allowed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError, create_model

from pipeline.config.data import Data, TableData
from pipeline.config.decision import BudgetDecision, CostDecision, Decision, FloorDecision, NoDecision
from pipeline.config.section import Section
from pipeline.config.sections import (
    Combination,
    Compute,
    Evaluate,
    Explore,
    FileSplit,
    GroupSplit,
    LogRange,
    Params,
    RandomSplit,
    Split,
    Sweep,
    TimeSplit,
    Tracking,
    Train,
)
from pipeline.errors import UserError

__all__ = [
    "BudgetDecision",
    "Combination",
    "Compute",
    "CostDecision",
    "Data",
    "Decision",
    "Evaluate",
    "Explore",
    "FileSplit",
    "FloorDecision",
    "GroupSplit",
    "LogRange",
    "NoDecision",
    "Params",
    "RandomSplit",
    "Section",
    "Split",
    "Sweep",
    "TableData",
    "TimeSplit",
    "Tracking",
    "Train",
    "flatten",
    "load",
    "parse",
    "read",
    "section_of",
    "validate",
    "with_string_keys",
]

PARAMS = Path("params.yaml")
VALUES = 100_000  # of a configuration, at most


def load(path: Path = PARAMS) -> dict[str, Any]:
    """The values in `path`, nested as in the file, not yet validated."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} is missing. `dvc repro` composes it from conf/.") from None
    except (OSError, UnicodeError) as error:
        raise UserError(f"{path} can't be read: {error}") from None
    return parse(text, str(path))


def parse(text: str, source: str) -> dict[str, Any]:
    """The values in `text`, interpolations resolved, not yet validated; `source` is its file, for messages."""
    check_aliases(text, source)
    try:
        values = OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    except (OmegaConfBaseException, ValueError) as error:
        raise UserError(f"{source} can't be read: {error}") from None
    except Exception as error:  # a YAML parser's own errors, which OmegaConf passes on
        raise UserError(f"{source} is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise UserError(
            f"{source} holds {values!r}, not sections of keys. Delete it: `dvc repro` composes it from conf/."
        )
    return with_string_keys(values, source)


def check_aliases(text: str, source: str) -> None:
    """Errors: `UserError` where aliases (`*name`) of anchors (`&name`) make more than VALUES values of a short text."""
    if "*" not in text or "&" not in text:
        return
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = VALUES  # where a node contains itself
            inner = node.value if isinstance(node, yaml.CollectionNode) else []
            sizes[id(node)] = 1 + sum(size(part) for entry in inner for part in _parts(entry))
        return sizes[id(node)]

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return  # reported when it is read
    if root is not None and size(root) >= VALUES:
        raise UserError(
            f"{source} has aliases (*name) that stand for {size(root):,} values or more. Write the values there."
        )


def _parts(entry: Any) -> tuple[Any, ...]:
    return entry if isinstance(entry, tuple) else (entry,)  # key and value of a mapping, or an entry of a list


def with_string_keys(values: Any, source: str) -> Any:
    """`values` with strings for keys: a column may be called 24. `source` is where they come from, for messages.

    Errors: `UserError` where one section has both numbers and strings for keys, which DVC can't sort.
    """
    if not isinstance(values, dict):
        return values
    if len({isinstance(key, str) for key in values}) > 1:
        number = next(key for key in values if not isinstance(key, str))
        keys = ", ".join(map(str, values))
        raise UserError(f"{source} has the number {number!r} as a key beside strings: {keys}. Put it in quotes.")
    return {str(key): with_string_keys(value, source) for key, value in values.items()}


def read(section: str, path: Path = PARAMS) -> Any:
    """One section of `params.yaml`, validated: `read("train").l2`."""
    return section_of(load(path), section, str(path))


def section_of(values: dict[str, Any], section: str, source: str) -> Any:
    """One section of `values`, validated."""
    if section not in values:
        raise UserError(f"{source} has no section {section!r}. Delete the file: `dvc repro` composes it from conf/.")
    field = Params.model_fields[section]
    fields: dict[str, Any] = {section: (field.annotation, field)}
    partial = create_model(section, __base__=Section, **fields)
    return getattr(_validated(partial, {section: values[section]}, source), section)


def validate(values: dict[str, Any], source: str) -> Params:
    """All sections at once. Raises `UserError` that names every wrong key, its value and what is allowed."""
    return _validated(Params, values, source)


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections to dotted keys: `{"train": {"lambda": 1}}` to `{"train.lambda": 1}`."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _validated(model: type[Section], values: dict[str, Any], source: str) -> Any:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems: dict[str, list[str]] = {}
        for problem in error.errors():
            problems.setdefault(_key_and_value(problem, values), []).append(_allowed(problem))
        lines = [f"{key}: {', or '.join(dict.fromkeys(allowed))}" for key, allowed in problems.items()]
        raise UserError("\n  ".join([f"{source} has values that can't be used:", *lines])) from None


def _key_and_value(problem: Mapping[str, Any], values: dict[str, Any]) -> str:
    # pydantic's path also has the type of a union that it tried; only steps that the values have are keys.
    keys, here = [], values
    missing = problem["type"] == "missing"
    for step in problem["loc"][:-1] if missing else problem["loc"]:
        if isinstance(here, dict) and step in here:
            keys.append(str(step))
            here = here[step]
    if missing:
        return ".".join([*keys, problem["loc"][-1]])
    if problem["type"] == "union_tag_invalid":
        return ".".join([*keys, problem["ctx"]["discriminator"].strip("'")]) + f" = {problem['ctx']['tag']!r}"
    if problem["type"] in (
        "unknown_key",
        "too_many_combinations",
        "bundled_only",
        "firth_alone",
        "password",
        "one_kind",
    ):
        return ".".join(keys)
    return ".".join(keys) + f" = {here!r}"


def _allowed(problem: Mapping[str, Any]) -> str:
    if problem["type"] == "missing":
        return "has no value; set it in conf/ or with `dvc exp run -S key=value`"
    if problem["type"] == "union_tag_invalid":
        return f"should be one of {problem['ctx']['expected_tags']}"
    if problem["type"] == "model_type" and problem["ctx"]["class_name"] == LogRange.__name__:
        return "a range {minimum: ..., maximum: ..., points: ...}"
    if problem["type"] == "string_type":
        return "should be a string; put it in quotes: '\"true\"'"
    return problem["msg"].removeprefix("Input ").removeprefix("String ").removeprefix("List ")
