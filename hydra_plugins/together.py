"""A Hydra launcher that hands a whole batch of jobs to the program: main(list of configurations) -> list of results.

Hydra takes launchers from a package of this name alone, and finds this one wherever Python starts in this folder.
Source: https://hydra.cc/docs/advanced/plugins/develop
"""

from collections.abc import Sequence

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class Together(Launcher):
    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.task, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        load = self.context.config_loader.load_sweep_config
        results = self.task([load(self.config, list(overrides)) for overrides in job_overrides])
        return [
            JobReturn(overrides=overrides, status=JobStatus.COMPLETED, _return_value=result)
            for overrides, result in zip(job_overrides, results, strict=True)
        ]


ConfigStore.instance().store(
    group="hydra/launcher", name="together", node={"_target_": f"{__name__}.{Together.__name__}"}
)
