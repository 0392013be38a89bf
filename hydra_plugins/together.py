"""A Hydra launcher that hands a whole batch of jobs to the program: task(sequence of configurations) -> their results.

Hydra takes launchers from a package of this name alone, and finds this one wherever Python starts in this folder.
Source: https://hydra.cc/docs/advanced/plugins/develop
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class Jobs(Sequence[DictConfig]):
    """Configurations, composed when they are asked for: a tenth of a second each."""

    def __init__(self, compose: Callable[[list[str]], DictConfig], overrides: Sequence[Sequence[str]]) -> None:
        self.compose, self.overrides = compose, overrides

    def __len__(self) -> int:
        return len(self.overrides)

    def __getitem__(self, job: Any) -> Any:
        return self.compose(list(self.overrides[job]))


class Together(Launcher):
    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.task, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        compose = partial(self.context.config_loader.load_sweep_config, self.config)
        returned = self.task(Jobs(compose, job_overrides))
        return [
            JobReturn(overrides=overrides, status=JobStatus.COMPLETED, _return_value=result)
            for overrides, result in zip(job_overrides, returned, strict=True)
        ]


ConfigStore.instance().store(
    group="hydra/launcher", name="together", node={"_target_": f"{__name__}.{Together.__name__}"}
)
