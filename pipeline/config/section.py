"""What every section of `params.yaml` has in common: the check of its keys, and the types of its values."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

UNSET = "???"  # OmegaConf's mark for a value that has to be given


def _name(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Name = Annotated[str, BeforeValidator(_name)]  # of a column or a class, which may be called 24
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
        keys = [field.alias or name for name, field in cls.model_fields.items()]
        if unknown := sorted(set(values) - set(keys)):
            seen = ", ".join(f"{key} = {values[key]!r}" for key in unknown)
            raise PydanticCustomError("unknown_key", f"no such key: {seen}; the keys here are {', '.join(keys)}")
        return {key: value for key, value in values.items() if value != UNSET}


def of_its_method(*sections: type[Section]) -> BeforeValidator:
    """A section with one class per method: without the keys that only the others have.

    So `-S split=stratified` goes with a data set whose file has split=group and the `split.column` of that.
    """

    def kept(values: Any) -> Any:
        method = values.get("method") if isinstance(values, dict) else None
        own = [each for each in sections if method in get_args(each.model_fields["method"].annotation)]
        others = {key for each in sections for key in each.model_fields} - {
            key for each in own for key in each.model_fields
        }
        return {key: value for key, value in values.items() if key not in others} if own else values

    return BeforeValidator(kept)
