"""What the pipeline promises."""

import json
from pathlib import Path

import pytest
import yaml

from project.stages import configure, load, train

CONF = Path(__file__).parents[1] / "conf"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf").symlink_to(CONF)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    configure.main()


def test_the_same_settings_give_the_same_bytes() -> None:
    results = []
    for _ in range(2):
        load.main()
        train.main()
        results.append([file.read_bytes() for file in sorted(Path("outputs").rglob("*.*"))])
    assert results[0] == results[1]
    assert json.loads(Path("outputs/train.json").read_text(encoding="utf-8"))["accuracy"] > 0.9


def test_an_edit_of_params_yaml_is_kept() -> None:
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params["train"]["C"] = 0.5
    Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    configure.main()
    assert yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["train"]["C"] == 0.5
