"""The data sets of `conf/data/`: their names, which one is in use, and a file there for a table of the user.

The one in use is the default of the group `data` in `conf/config.yaml`. So every later command concerns it, be it DVC
or Hydra that composes conf/, and git shows the choice.
"""

import re
import shlex
import unicodedata
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from pipeline import config
from pipeline.config.composition import CONF, compose, last_run
from pipeline.errors import UserError
from pipeline.overrides import WORD, assignment

GROUP, DEFAULTS, PATTERN = CONF / "data", CONF / "config.yaml", "table"
NAME = re.compile(rf"{WORD}(?!(yes|no|on|off|y|n)$)[a-z][a-z0-9_]*")  # needs no quotes in YAML, Hydra and the shell
COMMAND = ["python", "-m", "pipeline", "use"]


def names() -> list[str]:
    """Those of the files in conf/data, without the pattern for tables."""
    return sorted({file.stem for file in GROUP.glob("*.yaml")} - {PATTERN})


def file_of(name: str) -> Path:
    return GROUP / f"{name}.yaml"


def in_use() -> str:
    """The name of the data set in use."""
    text, place = _default()
    return str(yaml.safe_load(text[place]))


def use(name: str) -> None:
    """Make the data set `name` the one in use: only its name in conf/config.yaml changes."""
    text, place = _default()
    with DEFAULTS.open("w", encoding="utf-8", newline="") as file:
        file.write(text[: place.start] + name + text[place.stop :])


def _default() -> tuple[str, slice]:
    """The text of conf/config.yaml, and where the default of `data` is in it."""
    try:
        with DEFAULTS.open(encoding="utf-8", newline="") as file:
            text = file.read()
        root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
        entries = next(value.value for key, value in root.value if key.value == "defaults")
        pairs = [pair for entry in entries if isinstance(entry, yaml.MappingNode) for pair in entry.value]
        default = next(value for key, value in pairs if key.value == "data")
    except (OSError, yaml.YAMLError, AttributeError, StopIteration, TypeError):
        raise UserError(
            f"{DEFAULTS} has no line `- data: breast_cancer` in its defaults, which names the data set in use. "
            f"git diff {DEFAULTS} shows what changed there."
        ) from None
    return text, slice(default.start_mark.index, default.end_mark.index)


def name_of(data: dict[str, Any]) -> str | None:
    """The name of the data set with this section `data`; None where conf/data has no file of it."""
    return next((name for name in names() if not changed(own_values(name), data)), None)


def command_for(data: dict[str, Any]) -> str:
    """The command that makes the data set with this section `data` the one in use."""
    if (name := name_of(data)) or "path" not in data:
        return shlex.join([*COMMAND, name or str(data.get("name"))])
    pattern = config.parse(compose([f"data={PATTERN}"]), "conf/")["data"] | {"path": data["path"]}
    more = [assignment(f"data.{key}", value) for key, value in data.items() if pattern.get(key) != value]
    return shlex.join([*COMMAND, data["path"], *more])


def changed(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether two sections `data` are of different data sets, or have different targets."""
    keys = [["path", "target"] if "path" in data else ["name"] for data in (before, now)]
    return [str(before.get(key)) for key in keys[0]] != [str(now.get(key)) for key in keys[1]]


def described(data: dict[str, Any]) -> str:
    """A section `data` in a few words."""
    return f"{data['path']} (target {data['target']})" if "path" in data else str(data.get("name"))


def of_last_run() -> dict[str, Any] | None:
    """The section `data` of the last run; None without one."""
    recorded = last_run("load").get("params", {}).get(str(config.PARAMS), {})
    return recorded.get("data")


def own_values(name: str) -> dict[str, Any]:
    """What the file of a data set itself has for the section `data`; nothing where it is no YAML."""
    try:
        values: Any = OmegaConf.to_container(OmegaConf.load(file_of(name)))
    except Exception:  # Hydra reports it where the file is used
        return {}
    values = values if isinstance(values, dict) else {}
    inner = values.get("data", values)  # of `@package _global_`
    return inner if isinstance(inner, dict) else {}


def new_name(path: str) -> str:
    """A name for the table in the file `path` that no other data set has."""
    title = config.TableData.model_construct(path=path).title
    plain = unicodedata.normalize("NFKD", title.casefold()).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    stem = stem if NAME.fullmatch(stem) else f"table_{stem}".strip("_")
    taken = {*names(), PATTERN}
    return next(name for n in range(1, len(taken) + 2) if (name := f"{stem}_{n}" if n > 1 else stem) not in taken)
