"""`params.yaml` as typed, validated objects: one class a section, one field a key.

The classes say which keys exist, their types and their ranges; the defaults are in `conf/` alone. Values are read with
OmegaConf (a bare YAML 1.1 loader would take `1e-3` for a string) and checked by pydantic. `lambda` is a word of Python,
so the field is `l2`, as in `pipeline.logistic.LogisticRegression`.
"""

from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator
from pydantic_core import PydanticCustomError

from pipeline.errors import UserError

PARAMS = Path("params.yaml")
UNSET = "???"  # OmegaConf's mark for a value that has to be given

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
L2 = Annotated[float, Field(ge=0, allow_inf_nan=False)]
LearningRate = Positive | Literal["auto"]
Score = Literal[
    "accuracy",
    "f1_macro",
    "precision_macro",
    "recall_macro",
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier_score",
]


class Section(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        known = [field.alias or name for name, field in cls.model_fields.items()]
        if unknown := sorted(set(values) - set(known)):
            seen = ", ".join(f"{key} = {values[key]!r}" for key in unknown)
            raise PydanticCustomError("unknown_key", f"no such key: {seen}; the keys here are {', '.join(known)}")
        return {key: value for key, value in values.items() if value != UNSET}


class BundledData(Section):
    name: Literal["breast_cancer", "iris", "wine", "digits"]

    @property
    def title(self) -> str:
        return self.name

    @property
    def source(self) -> str:
        return f"scikit-learn's {self.name}"


class Expectation(Section):
    """What a person may say of a column; what is not said is not checked."""

    type: Literal["number", "words", "date"] | None = None
    minimum: float | str | None = None
    maximum: float | str | None = None
    allowed: list[float | str] | None = None
    unique: bool | None = None
    missing: bool | None = None


class TableData(Section):
    name: Literal["table"]
    path: Annotated[str, Field(min_length=1)]
    target: Annotated[str, Field(min_length=1)]
    columns: list[str] | None
    drop: list[str]
    roles: dict[str, Literal["numeric", "categorical", "boolean", "date", "drop"]]
    expectations: dict[str, Expectation]
    replace: dict[str, dict[str, str]]
    missing_values: list[str]
    date_format: str | None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None
    decimal: Literal[".", ","] | None
    thousands: Annotated[str, Field(min_length=1, max_length=1)] | None
    encoding: str | None
    compression: Literal["none", "gzip", "bz2", "xz", "zstd", "zip"] | None
    header: bool | None
    names: list[str] | None

    @property
    def title(self) -> str:
        return Path(self.path).name.split(".")[0]

    @property
    def source(self) -> str:
        return self.path


Data = Annotated[BundledData | TableData, Field(discriminator="name")]


class Explore(Section):
    rows: Annotated[int, Field(ge=10)]
    perplexity: Positive
    seed: Seed


class RandomSplit(Section):
    method: Literal["stratified"]
    test_size: Share
    seed: Seed


class GroupSplit(Section):
    method: Literal["group"]
    column: str
    test_size: Share
    seed: Seed


class TimeSplit(Section):
    method: Literal["time"]
    column: str
    test_size: Share


class FileSplit(Section):
    method: Literal["test_file"]
    path: str


Split = Annotated[RandomSplit | GroupSplit | TimeSplit | FileSplit, Field(discriminator="method")]


class Train(Section):
    l2: Annotated[L2, Field(alias="lambda")]
    class_weight: Literal["balanced"] | None
    positive: str | None
    max_levels: Annotated[int, Field(ge=2)]
    min_rows: Annotated[int, Field(ge=1)]
    tolerance: Positive
    seed: Seed
    optimizer: Literal["gradient_descent", "nesterov", "newton", "quasi_newton"]
    learning_rate: LearningRate
    max_iterations: Annotated[int, Field(ge=1)]


class LogRange(Section):
    """So many values from `minimum` to `maximum`, evenly spaced in their logarithm."""

    minimum: Positive
    maximum: Positive
    points: Annotated[int, Field(ge=2, le=10_000)]

    @property
    def values(self) -> list[float]:
        steps = self.points - 1
        ratio = self.maximum / self.minimum
        # Six digits, so that a person can read the values and type one.
        return [float(f"{self.minimum * ratio ** (i / steps):.6g}") for i in range(self.points)]


class Member(NamedTuple):
    """One model of a sweep."""

    l2: float
    learning_rate: float | Literal["auto"]


class Sweep(Section):
    l2: Annotated[list[L2 | LogRange], Field(alias="lambda", min_length=1)]
    learning_rate: Annotated[list[LearningRate | LogRange], Field(min_length=1)]
    folds: Annotated[int, Field(ge=2)]
    seed: Seed
    score: Score
    refit: Literal["best", "one_standard_error"]
    max_members: Annotated[int, Field(ge=1)]
    memory: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        n_members = len(self.members)
        if n_members > self.max_members:
            raise PydanticCustomError(
                "too_many_members",
                f"lambda and learning_rate make {n_members} members, more than max_members = {self.max_members}; "
                "thin the grid or raise max_members",
            )
        return self

    @property
    def members(self) -> list[Member]:
        """Every lambda with every learning rate, in rising order, each once."""
        lambdas, rates = (
            {value for entry in grid for value in (entry.values if isinstance(entry, LogRange) else [entry])}
            for grid in (self.l2, self.learning_rate)
        )
        numbers_first = sorted(rates, key=lambda rate: (rate == "auto", rate))
        return [Member(*pair) for pair in product(sorted(lambdas), numbers_first)]


class OneVsRest(Section):
    data: Data
    split: Split
    train: Train


class Tracking(Section):
    uri: str | None
    points: Annotated[int, Field(ge=2)]


class Params(Section):
    data: Data
    split: Split
    train: Train
    sweep: Sweep
    one_vs_rest: OneVsRest
    explore: Explore
    tracking: Tracking


def load(path: Path = PARAMS) -> dict[str, Any]:
    """The values in `path`, nested as in the file, not yet validated."""
    try:
        values = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except FileNotFoundError:
        raise UserError(f"{path} is missing. `dvc repro` composes it from conf/.") from None
    except (OmegaConfBaseException, ValueError, OSError) as error:
        raise UserError(f"{path} can't be read: {error}") from None
    except Exception as error:  # a YAML parser's own errors, which OmegaConf passes on
        raise UserError(f"{path} is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise UserError(
            f"{path} holds {values!r}, not sections of keys. Delete it: `dvc repro` composes it from conf/."
        )
    return values


def read(section: str, path: Path = PARAMS) -> Any:
    """One section of `params.yaml`, validated: `read("train").l2`."""
    return section_of(load(path), section, str(path))


def section_of(values: dict[str, Any], section: str, source: str) -> Any:
    """One section of `values`, validated."""
    if section not in values:
        raise UserError(f"{source} has no section {section!r}. Delete the file: `dvc repro` composes it from conf/.")
    field = Params.model_fields[section]
    partial = create_model(section, __base__=Section, **{section: (field.annotation, field)})
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


def _key_and_value(problem: dict[str, Any], values: dict[str, Any]) -> str:
    # pydantic's path also names the member of a union that it tried; only steps that the values have are keys.
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
    if problem["type"] in ("unknown_key", "too_many_members"):
        return ".".join(keys)
    return ".".join(keys) + f" = {here!r}"


def _allowed(problem: dict[str, Any]) -> str:
    if problem["type"] == "missing":
        return "has no value; set it in conf/ or with `dvc exp run -S key=value`"
    if problem["type"] == "union_tag_invalid":
        return f"should be one of {problem['ctx']['expected_tags']}"
    if problem["type"] == "model_type" and problem["ctx"]["class_name"] == LogRange.__name__:
        return "a range {minimum: ..., maximum: ..., points: ...}"
    return problem["msg"].removeprefix("Input ").removeprefix("String ").removeprefix("List ")
