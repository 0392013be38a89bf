"""Compose conf/ into params.yaml, unless params.yaml was edited by hand and conf/ was not.

`dvc exp run -S ...` has composed it already, with the overrides. outputs/configure.yaml is what conf/ composed to last.
"""

import os
import sys
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

PARAMS, LAST = Path("params.yaml"), Path("outputs/configure.yaml")


def main() -> None:
    with initialize_config_dir(str(Path("conf").absolute()), version_base=None):
        composed = compose("config")
    OmegaConf.resolve(composed)
    now, last = OmegaConf.to_yaml(composed), LAST.read_text(encoding="utf-8") if LAST.exists() else None
    if "DVC_EXP_NAME" not in os.environ:
        is_edited = PARAMS.exists() and last is not None and PARAMS.read_text(encoding="utf-8") != last
        if is_edited and now not in (last, PARAMS.read_text(encoding="utf-8")):
            sys.exit("conf/ and params.yaml were both edited. To take conf/: rm params.yaml. Else: git checkout conf")
        if not is_edited:
            PARAMS.write_text(now, encoding="utf-8")
    LAST.parent.mkdir(exist_ok=True)
    LAST.write_text(now, encoding="utf-8")
