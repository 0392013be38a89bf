"""`conf/` to `params.yaml`: compose with Hydra where something changed there, keep what the user edited by hand.

Whether a side was edited since the last run is seen from dvc.lock, which has the hashes of both as that run left them:

    conf/ edited, params.yaml not   composed again
    params.yaml edited, conf/ not   kept
    both edited                     stops, unless they agree; nothing is overwritten
    params.yaml missing             composed

In an experiment (`dvc exp run -S ...`) DVC has composed conf/ and the overrides already, and it is only validated.

DVC reads params.yaml as YAML 1.2 without interpolations, the stages read it with OmegaConf. A value that the two read
differently would let DVC skip a stage that would compute something else, so it is refused.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from ruamel.yaml import YAML, YAMLError

from pipeline import config
from pipeline.errors import UserError
from pipeline.overrides import override

CONF = Path("conf")
# The keys whose value may come from the environment. All values are in params.yaml, which git keeps.
FROM_ENVIRONMENT = {"data.path", "split.path"}


def configure() -> None:
    """Make params.yaml what the table above says. Errors: `UserError` for what can't be composed, read or used."""
    _warn_of_strays()
    if config.PARAMS.exists() and ("DVC_EXP_NAME" in os.environ or not _edited_since_last_run(CONF)):
        _check_files()
        check(config.PARAMS.read_text(encoding="utf-8"), str(config.PARAMS))
        return
    composed = compose()
    values = check(composed, "conf/")
    if config.PARAMS.exists():
        differing = differences(config.load(), values)
        if differing and _edited_since_last_run(config.PARAMS):
            raise UserError(
                "conf/ and params.yaml were both edited since the last run, and differ:\n  "
                + "\n  ".join(f"{key}: params.yaml has {ours}, conf/ has {theirs}" for key, ours, theirs in differing)
                + "\nTo take conf/, delete params.yaml. To keep params.yaml, write its values into conf/."
            )
        for key, ours, theirs in differing:
            print(f"params.yaml: {key} = {theirs}, was {ours}")
    if not config.PARAMS.exists() or config.PARAMS.read_text(encoding="utf-8") != composed:
        config.PARAMS.write_text(composed, encoding="utf-8")


def edits() -> list[str]:
    """Edits of params.yaml since the last run that conf/ does not have, by hand or by an experiment that failed."""
    if not config.PARAMS.exists() or not _edited_since_last_run(config.PARAMS):
        return []
    pairs = differences(config.load(), config.parse(compose(), "conf/"))
    return [f"{key} = {theirs}, params.yaml had {ours}" for key, ours, theirs in pairs]


def last_run(stage: str) -> dict[str, Any]:
    """What dvc.lock has of the last run of a stage; nothing without one."""
    lock = Path("dvc.lock")
    stages = (yaml.safe_load(lock.read_text(encoding="utf-8")) or {}).get("stages", {}) if lock.exists() else {}
    return dict(stages.get(stage, {}))


def compose(overrides: Sequence[str] = ()) -> str:
    """The composition of conf/ and `overrides` as YAML, in the very bytes that DVC would write for it."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException, OverrideParseException

    if not CONF.is_dir():
        raise UserError(f"{Path.cwd()} has no folder {CONF}/. Run the command in the folder that has it and dvc.yaml.")
    _check_files()
    try:
        with initialize_config_dir(str(CONF.absolute()), version_base=None):
            composed = compose("config", list(overrides))
        OmegaConf.resolve(composed)
        return OmegaConf.to_yaml(composed)
    except OverrideParseException as error:
        raise UserError(
            f"{error.override} is not in Hydra's grammar: {str(error.message).splitlines()[0]}. A value with other "
            f"characters than letters and digits needs quotes for Hydra, inside quotes for the shell: "
            f"'data.delimiter=\";\"'."
        ) from None
    except RecursionError:
        raise UserError(
            "conf/ can't be composed: a file there includes itself, directly or through others. Look at the `defaults` "
            "of the files that you edited; `git diff conf/` shows them."
        ) from None
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
        check_groups(overrides)
        lines = "".join(f"\n  {override}" for override in overrides)
        source = f"conf/ with these settings can't be composed:{lines}\n" if overrides else "conf/ can't be composed: "
        raise UserError(f"{source}{error}") from None


def unlike_conf(sections: Sequence[str]) -> list[str]:
    """The settings of params.yaml in some sections that are not those of conf/, as `key = value (conf/: value)`."""
    differing = differences(config.load(), config.parse(compose(), "conf/")) if CONF.is_dir() else []
    return [f"{key} = {ours} (conf/: {theirs})" for key, ours, theirs in differing if key.split(".")[0] in sections]


def check_groups(overrides: Sequence[str]) -> None:
    """Errors: `UserError` for a group of settings that is set to something else than the name of one of its files.

    Hydra ends in a traceback where that is a number or null.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import ChoiceSweep, Glob
    from hydra.errors import HydraException

    for text in overrides:
        try:
            parsed = OverridesParser.create().parse_override(text)
        except HydraException:
            continue  # Hydra reports it
        group = CONF / parsed.key_or_group
        files = sorted(file.stem for file in group.glob("*.yaml"))
        if not files or parsed.is_delete() or isinstance(parsed.value(), Glob):
            continue
        value = parsed.value()
        choices = value.list if isinstance(value, ChoiceSweep) else [value]
        names = [name for choice in choices for name in (choice if isinstance(choice, list) else [choice])]
        if {str(getattr(name, "text", name)).removesuffix(".yaml") for name in names} - {*files}:
            key, _, stem = text.lstrip("+").partition("=")
            raise UserError(
                f"{key} = {stem} is no file of {group}/, which has {', '.join(files)}. Name one of these, such as "
                f"{override(key, files[0])}; a setting of the group has a key of its own, as in -S train.lambda=0.1."
            )


def _warn_of_strays() -> None:
    """`dvc exp run -S` in a subfolder fails, but writes a params.yaml there first."""
    for file in sorted([*Path().glob("*/params.yaml"), *Path().glob("*/*/params.yaml")]):
        if not file.parts[0].startswith((".", "outputs", "ml")):
            print(
                f"warning: {file} is what DVC left when `dvc exp run` was started in {file.parent}/. No stage reads "
                f"it. Delete it (rm {file}), and start experiments in {Path.cwd()}."
            )


def _check_files() -> None:
    """Errors: `UserError` for a bomb of aliases, and where conf/ would write a value of the environment to params.yaml.

    Such a value may be a password.
    """
    for file in sorted(CONF.rglob("*.yaml")):
        text = file.read_text(encoding="utf-8", errors="replace")
        config.check_aliases(text, str(file))
        if "oc.env" not in text:
            continue
        try:
            values: Any = OmegaConf.to_container(OmegaConf.create(text))
        except (OmegaConfBaseException, yaml.YAMLError):
            continue  # Hydra reports it
        section = "" if file.parent == CONF else f"{file.parent.relative_to(CONF).as_posix()}."
        for name, value in config.flatten(values if isinstance(values, dict) else {}).items():
            key = section + str(name)
            if "oc.env" in str(value) and key not in FROM_ENVIRONMENT and not key.startswith(("defaults", "hydra.")):
                raise UserError(
                    f"{file}: {key} is {value}, and its value would be in params.yaml, which git keeps. "
                    f"Write the value itself there if everybody may see it. "
                    f"Only {' and '.join(sorted(FROM_ENVIRONMENT))} may come from the environment. For the address of "
                    "an MLflow server set MLFLOW_TRACKING_URI, which is stored nowhere."
                )


def check(text: str, source: str) -> dict[str, Any]:
    """The values in `text`. Errors: `UserError` for values that can't be used, or that DVC reads differently."""
    values = config.parse(text, source)
    used = config.flatten(config.validate(values, source).model_dump(by_alias=True))
    for section in ("split", "decision", "compute"):
        for key, value in config.flatten(values[section], f"{section}.").items():
            if key not in used:
                print(f"{key} = {value} is not used: {section}.method is {values[section]['method']}.")
    try:
        seen_by_dvc = config.with_string_keys(YAML(typ="safe").load(text), source)
    except YAMLError as error:
        raise UserError(f"{source} is not YAML as DVC reads it: {error}") from None
    if differing := differences(seen_by_dvc, values):
        lines = [
            f"{key} is {theirs} for DVC and {'its value' if 'oc.env' in theirs else ours} for the stages"
            for key, theirs, ours in differing
        ]
        raise UserError(
            "\n  ".join([f"{source} has values that DVC and the stages read differently:", *lines])
            + "\nWrite plain values there: a resolved one for an interpolation ${...}, a decimal number, a string in "
            "quotes. Interpolations belong into conf/; deleting params.yaml lets `dvc repro` compose it again."
        )
    return values


def _edited_since_last_run(path: Path) -> bool:
    """Whether `path` differs from what dvc.lock has for this stage. Without a lock everything counts as edited."""
    stage = last_run("configure")
    locked = {entry["path"]: entry.get("md5") for entry in stage.get("deps", []) + stage.get("outs", [])}
    return _dvc_hash(path) != locked.get(str(path))


def _dvc_hash(path: Path) -> str | None:
    """The hash that DVC gives a file or folder (dvc-data, `hashfile/tree.py`: MD5 of the sorted list of entries)."""
    if path.is_file():
        return hashlib.md5(path.read_bytes()).hexdigest()
    if not path.is_dir():
        return None
    files = sorted((file.relative_to(path).parts, file) for file in path.rglob("*") if file.is_file())
    entries = [{"md5": _dvc_hash(file), "relpath": "/".join(names)} for names, file in files]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Key and both values, as Python writes them, where two sets of values differ."""
    flat = [{key: repr(value) for key, value in config.flatten(values).items()} for values in (ours, theirs)]
    pairs = [(key, *(values.get(key, "no such key") for values in flat)) for key in {**flat[0], **flat[1]}]
    return [(key, one, other) for key, one, other in pairs if one != other]
