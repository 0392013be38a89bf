"""The model that a command is given by name."""

from pipeline import config, model
from pipeline.columns import dataset
from pipeline.config import inputs
from pipeline.errors import UserError
from pipeline.files import paths
from pipeline.model import Model
from pipeline.reading.options import Options

HELP = "models:/<name>@champion, models:/<id> or the id of a run; default: outputs/train"


def model_of(name: str | None) -> tuple[Model, Options | None]:
    """The model of that name, by default this repository's, and how its table is written where that is known."""
    if name is not None:
        from pipeline.tracking import registry  # MLflow takes seconds to import

        return registry.load(name, config.read("tracking")), None
    file = paths.ROOT / paths.MODEL
    if not file.exists():
        raise UserError(
            f"{file} doesn't exist: nothing has been trained here. `dvc repro` trains a model, `dvc checkout` brings "
            f"back one that was; or name one of MLflow: --model models:/<name>@champion."
        )
    inputs.check_results()
    data = config.read("data")
    return model.load(file), dataset.options_of(data) if isinstance(data, config.TableData) else None
