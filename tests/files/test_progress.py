"""Bars: what long work does and how far it is, on a terminal alone."""

import io
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import train_params

from pipeline.evaluation import references
from pipeline.training import selection


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def long_work() -> None:
    """The black box, and the choice of pairs, of 120 rows."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(120, 3)), columns=["a", "b", "c"])
    y = np.where(X["a"] * X["b"] + rng.normal(size=120) > 0, "yes", "no")
    references.black_box(X, y, X, np.array(["no", "yes"]))
    params = train_params(**{"lambda": 0.01, "learning_rate": "auto"}, optimizer="newton", interactions="auto")
    selection.resolved(X.assign(y=pd.Series(y, dtype="str")), params)


def test_a_terminal_shows_what_is_done_and_how_far(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    long_work()
    shown = [
        line.split("|")[0].strip() + line.split("|")[-1] for line in terminal.getvalue().split("\r") if "|" in line
    ]
    assert shown[0].startswith("train the black box on 120 rows:   0% 0/1")
    assert any(line.startswith("search pairs of columns:   0% 0/5") for line in shown)
    assert terminal.getvalue().endswith("\r")  # the line is free again


def test_a_file_gets_no_bars(capfd: pytest.CaptureFixture[str]) -> None:
    long_work()
    assert capfd.readouterr() == ("", "")
