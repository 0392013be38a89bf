"""`conf/` to `params.yaml`: compose with Hydra where something changed there, keep what a person wrote by hand.

What changed "since the last run" is told by dvc.lock, which holds the hashes of both sides as that run left them:

    conf/ edited, params.yaml not   composed anew
    params.yaml edited, conf/ not   kept
    both edited                     stops, unless they agree; nothing is overwritten
    params.yaml missing             composed

In an experiment (`dvc exp run -S ...`) DVC has composed conf/ and the overrides already, and this stage only validates.
"""

import hashlib
import json
import os
import re
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline import config
from pipeline.errors import UserError
from pipeline.stages import run

CONF = Path("conf")
# A group and the key that tells its options apart; an option without the key takes it from another.
GROUPS = {"data": "data.name", "split": "split.method", "optimizer": "train.optimizer"}
_ABSENT = object()


def compose(overrides: list[str] | None = None) -> str:
    """The composition of conf/ as YAML, in the very bytes that DVC would write for it."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException

    GlobalHydra.instance().clear()  # a sweep composes while Hydra runs it
    try:
        with initialize_config_dir(str(CONF.absolute()), version_base=None):
            composed = compose("config", overrides=overrides)
        OmegaConf.resolve(composed)
        return OmegaConf.to_yaml(composed)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise UserError(f"conf/ can't be composed: {error}") from None


def overrides(values: dict[str, Any]) -> list[str]:
    """What `dvc exp run -S` has to be told so that conf/ composes to `values`, some sections of params.yaml."""
    told, untold = [], _untold(values, [])
    wanted = _leaves(values)
    for group, key in GROUPS.items():
        path = tuple(key.split("."))
        if path in untold or any(differing[0] == group for differing in untold):
            options = {file.stem: OmegaConf.load(file) for file in sorted((CONF / group).glob("*.yaml"))}
            fitting = [name for name, own in options.items() if own.get(path[1], wanted[path]) == wanted[path]]
            tried = [(choice, _untold(values, choice)) for choice in ([*told, f"{group}={name}"] for name in fitting)]
            told, untold = min([(told, untold), *tried], key=lambda pair: len(pair[1]))
    return told + [_override(path, sign, value) for path, (sign, value) in untold.items()]


Keys = tuple[str, ...]  # to a value: ("data", "roles", "Zip Code")


def _untold(values: dict[str, Any], told: list[str]) -> dict[Keys, tuple[str, Any]]:
    """Where `values` still differ from conf/ with overrides `told`: Hydra's sign (`+` adds, `~` removes), the value."""
    composed = OmegaConf.to_container(OmegaConf.create(compose(told)))
    flat, wanted = _leaves({section: composed[section] for section in values}), _leaves(values)
    changed = {
        path: ("" if path in flat else "+", value) for path, value in wanted.items() if flat.get(path, _ABSENT) != value
    }
    return changed | {
        path: ("~", None)
        for path in flat
        if path not in wanted and not any(other[: len(path)] == path for other in wanted)  # an empty section that grew
    }


def _leaves(values: Any, path: Keys = ()) -> dict[Keys, Any]:
    if not isinstance(values, dict) or not values:
        return {path: values}
    return {leaf: found for key, value in values.items() for leaf, found in _leaves(value, (*path, str(key))).items()}


def _override(path: Keys, sign: str, value: Any) -> str:
    """In Hydra's grammar, whose keys are words: a column's name with a space in it goes into braces."""
    if sign == "~":
        return f"~{'.'.join(path)}"
    words = list(takewhile(re.compile(r"[A-Za-z_][A-Za-z_0-9-]*").fullmatch, path))
    text = _literal(value)
    for name in reversed(path[len(words) :]):
        sign, escaped = "+", re.sub(r"([\\()\[\]{}:=,])", r"\\\1", name)
        text = f"{{{escaped}: {text}}}"
    return f"{sign}{'.'.join(words)}={text}"


def _literal(value: Any) -> str:
    """A value in Hydra's override grammar, quoted where it has to be."""
    word = isinstance(value, str) and re.fullmatch(r"(?!(null|true|false)$)[A-Za-z][A-Za-z_0-9./-]*", value)
    return value if word else json.dumps(value, ensure_ascii=False)


def dvc_hash(path: Path) -> str | None:
    """The hash that DVC gives a file or folder (dvc-data, `hashfile/tree.py`: MD5 of the sorted list of entries)."""
    if path.is_file():
        return hashlib.md5(path.read_bytes()).hexdigest()
    if not path.is_dir():
        return None
    files = sorted((file.relative_to(path).parts, file) for file in path.rglob("*") if file.is_file())
    entries = [{"md5": dvc_hash(file), "relpath": "/".join(parts)} for parts, file in files]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"


def edited_since_last_run(path: Path) -> bool:
    """Whether `path` differs from what dvc.lock holds for this stage. Without a lock everything counts as edited."""
    lock = Path("dvc.lock")
    stages = (yaml.safe_load(lock.read_text()) or {}).get("stages", {}) if lock.exists() else {}
    stage = stages.get("configure", {})
    locked = {entry["path"]: entry.get("md5") for entry in stage.get("deps", []) + stage.get("outs", [])}
    return dvc_hash(path) != locked.get(str(path))


def configure() -> None:
    if config.PARAMS.exists() and ("DVC_EXP_NAME" in os.environ or not edited_since_last_run(CONF)):
        config.validate(config.load(), source=str(config.PARAMS))
        return
    composed = compose()
    values = config.with_words_for_keys(OmegaConf.to_container(OmegaConf.create(composed)), "conf/")
    config.validate(values, source="conf/")
    if config.PARAMS.exists():
        differing = _differences(config.load(), values)
        if differing and edited_since_last_run(config.PARAMS):
            raise UserError(
                "conf/ and params.yaml were both edited since the last run, and differ:\n  "
                + "\n  ".join(f"{key}: params.yaml has {ours}, conf/ has {theirs}" for key, ours, theirs in differing)
                + "\nTo take conf/, delete params.yaml. To keep params.yaml, write its values into conf/."
            )
        for key, ours, theirs in differing:
            print(f"params.yaml: {key} = {theirs}, was {ours}")
    if not config.PARAMS.exists() or config.PARAMS.read_text() != composed:
        config.PARAMS.write_text(composed, encoding="utf-8")


def _differences(ours: dict, theirs: dict) -> list[tuple[str, str, str]]:
    ours, theirs = config.flatten(ours), config.flatten(theirs)
    pairs = [(key, ours.get(key, "no such key"), theirs.get(key, "no such key")) for key in {**ours, **theirs}]
    return [(key, str(old), str(new)) for key, old, new in pairs if old != new]


if __name__ == "__main__":
    run(configure)
