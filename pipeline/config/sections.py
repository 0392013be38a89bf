"""One class per section of `params.yaml`, one field per key: which keys exist, their types and their ranges.

The defaults are in `conf/` alone. `lambda` is a keyword of Python, so the field is `l2`, as in
`pipeline.logistic.LogisticRegression`.
"""

from itertools import product
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from pipeline.config.data import BundledData, Data
from pipeline.config.decision import Decision
from pipeline.config.section import L2, LearningRate, Name, Positive, Score, Section, Seed, Share, of_its_method


class Explore(Section):
    rows: Annotated[int, Field(ge=10)] | None
    perplexity: Positive
    seed: Seed


class RandomSplit(Section):
    method: Literal["stratified"]
    test_size: Share
    seed: Seed


class GroupSplit(Section):
    method: Literal["group"]
    column: Name
    test_size: Share
    seed: Seed


class TimeSplit(Section):
    method: Literal["time"]
    column: Name
    test_size: Share


class FileSplit(Section):
    method: Literal["test_file"]
    path: str


Split = Annotated[
    RandomSplit | GroupSplit | TimeSplit | FileSplit,
    Field(discriminator="method"),
    of_its_method(RandomSplit, GroupSplit, TimeSplit, FileSplit),
]


SMOOTHNESS = 10.0  # where each curve has a multiple of its own


class Train(Section):
    l2: Annotated[L2 | Literal["auto"], Field(alias="lambda")]
    l1_ratio: Annotated[float, Field(ge=0, le=1)]
    features: Literal["linear", "curves", "steps", "auto"]
    smoothness: Positive | Literal["auto"] | dict[Name, Positive]
    interactions: Literal["auto"] | list[Annotated[list[Name], Field(min_length=2, max_length=2)]]
    pair_strength: Positive | Literal["auto"]
    monotone: dict[Name, Literal["increasing", "decreasing"]]
    multiclass: Literal["one_vs_rest", "softmax", "auto"]
    class_weight: Literal["balanced"] | None
    positive: Name | None
    min_rows: Annotated[int, Field(ge=1)]
    words: Annotated[int, Field(ge=1)]
    words_penalty: Positive | Literal["auto"]
    word_pairs: bool | Literal["auto"]
    offset: Name | None
    tolerance: Positive
    seed: Seed
    optimizer: Literal["gradient_descent", "nesterov", "newton", "quasi_newton"]
    learning_rate: LearningRate
    max_iterations: Annotated[int, Field(ge=1)]
    penalty: Literal["ridge", "firth"]
    standard_errors: Literal["information", "HC0", "HC1", "cluster"]

    @field_validator("interactions")
    @classmethod
    def _different_pairs(cls, interactions: Any) -> Any:
        pairs = [] if interactions == "auto" else [frozenset(pair) for pair in interactions]
        for pair, names in zip(pairs, interactions, strict=False):
            if len(pair) == 1:
                raise PydanticCustomError("one_column", f"has the pair {names}: a pair needs two different columns")
            if pairs.count(pair) > 1:
                raise PydanticCustomError("repeated_pair", f"has the pair {names} twice: leave one of them out")
        return interactions

    @model_validator(mode="after")
    def _one_penalty(self) -> Self:
        if self.penalty == "firth" and (
            self.l2 != 0
            or self.l1_ratio != 0
            or self.optimizer != "newton"
            or self.class_weight is not None
            or self.offset is not None
        ):
            raise PydanticCustomError(
                "firth_alone",
                "train.penalty = firth goes with lambda = 0, l1_ratio = 0, optimizer = newton, class_weight = null and "
                "no offset: -S train.penalty=firth -S train.lambda=0 -S optimizer=newton. For a lambda: "
                "-S train.penalty=ridge",
            )
        return self

    @model_validator(mode="after")
    def _monotone_alone(self) -> Self:
        paired = [name for pair in self.pairs for name in pair if name in self.monotone]
        why = f"train.interactions pairs {paired[0]!r} with another column" if paired else ""
        why = (
            why
            or f"train.l1_ratio = {self.l1_ratio:g}" * (self.l1_ratio > 0)
            or "train.penalty = firth" * (self.penalty == "firth")
        )
        if self.monotone and why:
            raise PydanticCustomError(
                "monotone_alone",
                f"train.monotone has {', '.join(map(repr, self.monotone))}, which can't be promised with {why}. Leave "
                f"out one of the two",
            )
        return self

    _tokens: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def tokens(self) -> dict[str, str]:
        """The columns of texts and lists, and their roles: what `load` found out, or the user said in `data.roles`."""
        return self._tokens

    @property
    def has_text(self) -> bool:
        return "text" in self.tokens.values()

    def of_tokens(self, tokens: dict[str, str]) -> Self:
        """The same settings for a table with these columns of texts and lists."""
        params = self.model_copy()
        params._tokens = tokens
        return params

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The pairs of columns that act together; none as long as they are to be found."""
        return [] if self.interactions == "auto" else [(first, second) for first, second in self.interactions]

    @property
    def times_lambda(self) -> float:
        """The strength of pairs beside that of single columns; 1 as long as it is to be found."""
        return 1.0 if self.pair_strength == "auto" else self.pair_strength

    @property
    def bending(self) -> float | None:
        """The smoothness of curves, None for straight lines."""
        if self.features not in ("curves", "steps"):
            return None
        return SMOOTHNESS if isinstance(self.smoothness, str | dict) else self.smoothness

    @property
    def multiples(self) -> dict[str, float]:
        """Of the penalty of each curve and pair; none as long as they are to be found."""
        return self.smoothness if isinstance(self.smoothness, dict) else {}


class _Compute(Section):
    memory: Positive
    folder: str


class ThreadsCompute(_Compute):
    method: Literal["threads"]


class DaskCompute(_Compute):
    method: Literal["dask"]
    scheduler: str | None
    workers: Annotated[int, Field(ge=1)] | None
    worker_memory: str


Compute = Annotated[
    ThreadsCompute | DaskCompute, Field(discriminator="method"), of_its_method(ThreadsCompute, DaskCompute)
]


class LogRange(Section):
    """`points` values from `minimum` to `maximum`, evenly spaced in their logarithm."""

    minimum: Annotated[Positive, Field(ge=1e-15)]  # so that the ratio of the two is a number
    maximum: Annotated[Positive, Field(le=1e15)]
    points: Annotated[int, Field(ge=2, le=10_000)]

    @property
    def values(self) -> list[float]:
        steps = self.points - 1
        ratio = self.maximum / self.minimum
        # Six digits, so that the values are easy to read and to type.
        return [float(f"{self.minimum * ratio ** (i / steps):.6g}") for i in range(self.points)]


class Combination(NamedTuple):
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
    max_combinations: Annotated[int, Field(ge=1)]
    memory: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        n_combinations = len(self.combinations)
        if n_combinations > self.max_combinations:
            raise PydanticCustomError(
                "too_many_combinations",
                f"lambda and learning_rate make {n_combinations} combinations, more than max_combinations = "
                f"{self.max_combinations}; use fewer values or raise max_combinations",
            )
        return self

    @property
    def combinations(self) -> list[Combination]:
        """Every lambda with every learning rate, in rising order, each once."""
        lambdas, rates = set(_listed(self.l2)), set(_listed(self.learning_rate))
        numbers_first = sorted(rates, key=lambda rate: (rate == "auto", rate))
        return [Combination(*pair) for pair in product(sorted(lambdas), numbers_first)]


def _listed(grid: list[Any]) -> list[Any]:
    """The values of a grid, those of its ranges among them."""
    return [value for entry in grid for value in (entry.values if isinstance(entry, LogRange) else [entry])]


class OneVsRest(Section):
    """A demonstration beside the main job, which takes tables of many classes itself; without data nothing runs."""

    data: BundledData | None = None
    split: RandomSplit
    train: Train

    @field_validator("data", mode="before")
    @classmethod
    def _bundled(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("name") == "table":
            raise PydanticCustomError(
                "bundled_only", "should be a bundled set; a table of many classes is for data=table"
            )
        return data


class Tracking(Section):
    uri: str | None
    points: Annotated[int, Field(ge=2)]
    promote: Annotated[float, Field(ge=0)] | None
    live: bool

    @field_validator("uri")
    @classmethod
    def _without_password(cls, uri: str | None) -> str | None:
        scheme, _, rest = (uri or "").partition("://")
        user, options = rest.rpartition("@")[0], rest.partition("?")[2]
        if ":" in user or (user and scheme.startswith("http")) or "password=" in options.lower():
            raise PydanticCustomError(
                "password",
                "has a password, and params.yaml is in git; set MLFLOW_TRACKING_URI instead, which is stored nowhere",
            )
        return uri


class Evaluate(Section):
    groups: list[Name]
    random_start: bool


class Params(Section):
    data: Data
    split: Split
    train: Train
    decision: Decision
    compute: Compute
    evaluate: Evaluate
    sweep: Sweep
    one_vs_rest: OneVsRest
    explore: Explore
    tracking: Tracking
