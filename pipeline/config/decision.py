"""The section `decision`: from which probability on a row is decided to be positive, and why."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from pipeline.config.section import L2, Name, Positive, Section, of_its_method


class _Decision(Section):
    calibration: Literal["none", "auto"]

    @property
    def sentence(self) -> str:
        """How each model that is compared decides, for a reader of the scores; empty for the more probable class."""
        chosen = "Each model decides from its own threshold on, chosen within the training rows"
        return f"{chosen}: {self.rule}." if self.rule else ""

    @property
    def rule(self) -> str:
        return ""


class NoDecision(_Decision):
    method: Literal["none"]


class CostDecision(_Decision):
    method: Literal["cost"]
    false_alarm: L2 | str
    miss: L2 | str | None
    costs: dict[Name, dict[Name, L2]] | None

    @field_validator("costs", mode="before")
    @classmethod
    def _of_classes(cls, costs: Any) -> Any:
        if costs is not None and not (isinstance(costs, dict) and all(isinstance(row, dict) for row in costs.values())):
            raise PydanticCustomError(
                "no_table",
                "should have, for each true class, the costs of the others: {good: {bad: 1}, bad: {good: 5}}",
            )
        return costs

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.miss is None) == (self.costs is None):
            raise PydanticCustomError(
                "one_kind",
                "takes either decision.miss, of two classes (-S decision=cost -S decision.miss=5), or decision.costs, "
                "of three or more (-S decision=cost -S 'decision.costs={good: {fair: 1, bad: 2}, ...}')",
            )
        return self

    @property
    def sentence(self) -> str:
        if self.costs is not None:
            return "Each model decides for the class of the least expected cost (decision.costs)."
        return super().sentence

    @property
    def rule(self) -> str:
        return f"the least cost, with decision.false_alarm = {self.false_alarm} and decision.miss = {self.miss}"


class FloorDecision(_Decision):
    method: Literal["floor"]
    recall: Annotated[float, Field(gt=0, le=1)]

    @property
    def rule(self) -> str:
        return f"the fewest rows with a recall of at least decision.recall = {self.recall:g}"


class BudgetDecision(_Decision):
    method: Literal["budget"]
    highest: Positive

    @property
    def rule(self) -> str:
        return f"the rows of the highest probability, as many as decision.highest = {self.highest:g}"


Decision = Annotated[
    NoDecision | CostDecision | FloorDecision | BudgetDecision,
    Field(discriminator="method"),
    of_its_method(NoDecision, CostDecision, FloorDecision, BudgetDecision),
]
