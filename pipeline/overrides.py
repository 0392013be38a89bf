"""Settings as the user types them: `key=value` in Hydra's grammar, then quoted for the shell.

Every command that is printed is written here, for any name of a file, a column or a category: with commas, brackets,
quotes, blanks, umlauts, line breaks. Hydra has three places for a string, and each takes less than the one before:

    value    a.csv, "Heart Rate (bpm)"     anything in quotes; a backslash counts only before a quote
    {key: }  Heart\\ Rate\\ \\(bpm\\)          ASCII, no quotes; what has a meaning in the grammar after a backslash
    a.b.key  zip_code                      letters, digits, _ and -

A mapping is added to what the setting has (`++`). One with a key that even the second place can't hold is written as
YAML, `data.roles='${oc.create:"Größe: drop"}'`, and replaces what the setting had, as a list does; what is added to it
replaces it, too. So within `beside`, what these settings have is written with it.

Hydra itself is not needed for this, since a served model, which has none, prints such messages too.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import yaml

from pipeline.errors import UserError

WORD = r"(?!(?i:null|true|false|inf|nan)$)"  # no word that is another value
VALUE = re.compile(rf"{WORD}(\.{{0,2}}/)?[A-Za-z_][A-Za-z0-9_./-]*")
KEY = re.compile(rf"{WORD}[A-Za-z_][A-Za-z0-9_-]*|0|[1-9]\d*")
MAPPING_KEY = re.compile(rf"{WORD}[A-Za-z_ ][\w /+.$%*@?|\\()\[\]{{}}:=,-]*", re.ASCII)
SPECIAL = re.compile(r"[\\()\[\]{}:=, ]")
IN_YAML = re.compile(rf"{WORD}(?!(?i:yes|no|on|off|y|n)$)[^\W\d_]\w*( \w+)*")
# Read as a reference to another setting, as a missing value, as a number by DVC, as a space, or not encodable as UTF-8.
REFUSED = re.compile(r"\$\{|^\?\?\?$|^[-+]?0o[0-7]+$|[\x85\ud800-\udfff]")
Value = str | float | None | Sequence[Any] | Mapping[str, Any]
ADDED = ("data.drop", "data.more_missing")  # lists to which messages add

_present: dict[str, Any] = {}  # the settings that `beside` was given, by key


@contextmanager
def beside(section: str, settings: Mapping[str, Any]) -> Iterator[None]:
    """Let overrides that replace a setting of the section keep what `settings` have in it."""
    before = _present.copy()
    _present.update({f"{section}.{name}": value for name, value in settings.items()})
    try:
        yield
    finally:
        _present.clear()
        _present.update(before)


def override(key: str, value: Value) -> str:
    """`-S key=value` for a message; where no configuration can hold the value, the reason."""
    try:
        return options([assignment(key, value)])
    except UserError as error:
        return f"not by a setting. {error}".removesuffix(".")


def options(assignments: Iterable[str]) -> str:
    """`-S a=1 -S b=2`, quoted for the shell."""
    return " ".join(f"-S {shlex.quote(assignment)}" for assignment in assignments)


def assignment(key: str, value: Value) -> str:
    """`key=value` in Hydra's grammar; of a mapping, `++key.column=value` or `++key={column: value, ...}`.

    Errors: `UserError` for the few strings that a configuration can't hold.
    """
    there = _present.get(key)
    if key in ADDED and isinstance(value, Sequence):
        value = [*dict.fromkeys([*(there or ()), *value])]
    if not isinstance(value, Mapping):
        return f"{key}={_written(value)}"
    if isinstance(there, Mapping) and "${oc.create:" in _written(merged := _merged(there, value)):
        value = merged
    if len(value) == 1 and KEY.fullmatch(column := next(iter(value))):
        return f"++{key}.{column}={_written(value[column])}"
    return f"++{key}={_written(value)}"


def _written(value: Value) -> str:
    if isinstance(value, str):
        return _checked(value) if VALUE.fullmatch(value) else _quoted(_checked(value))
    if isinstance(value, Mapping):
        keys = [_checked(key) for key in value]
        if all(MAPPING_KEY.fullmatch(key) for key in keys):
            pairs = (f"{SPECIAL.sub(_escaped, key)}: {_written(value[key])}" for key in keys)
            return f"{{{', '.join(pairs)}}}"
        return _created(value)
    if isinstance(value, Sequence):
        return f"[{','.join(map(_written, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(float(value)).removesuffix(".0")  # all its digits, no more


def _merged(there: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """`value` with what is there, as Hydra adds one mapping to another."""
    nested = {
        key: _merged(there[key], inner)
        for key, inner in value.items()
        if isinstance(inner, Mapping) and isinstance(there.get(key), Mapping)
    }
    return {**there, **value, **nested}


def _checked(text: str) -> str:
    if REFUSED.search(text):
        raise UserError(
            f"The name {text!r} can't be a value of the configuration, which would take it for something else. "
            f"Rename the file or the column."
        )
    return text


def _quoted(text: str) -> str:
    """In double quotes, for Hydra and OmegaConf: a quote gets a backslash, and those before a quote are doubled."""
    return '"' + re.sub(r'(\\*)("|\Z)', lambda found: 2 * found[1] + (r"\"" if found[2] else ""), text) + '"'


def _escaped(found: re.Match[str]) -> str:
    return "\\" + found[0]


def _created(value: Mapping[str, Any]) -> str:
    """A mapping as a call of OmegaConf's `oc.create` with YAML.

    It stands in single quotes, with no ' and no }, but as braces, in the YAML: without quotes Hydra takes the first }
    for the end of the call, and DVC's queue, which writes each override anew, puts backslashes into it.
    """
    text = _yaml(value)
    is_flat = text.count("}") == 1 and len(value) == 1
    call = f"${{oc.create:{_quoted(text[1:-1] if is_flat else text)}}}"
    return f"'{call}'"


def _yaml(value: str | Mapping[str, Any]) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_yaml(key)}: {_yaml(inner)}' for key, inner in value.items())}}}"
    if IN_YAML.fullmatch(_checked(value)):
        return value
    text: str = yaml.dump(value, default_style='"', allow_unicode=True, width=10**9)
    return text.removesuffix("\n").replace("'", r"\x27").replace("}", r"\x7d")
