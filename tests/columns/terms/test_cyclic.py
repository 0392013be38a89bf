"""Cyclic curves. The oracle is arithmetic of waves, and indicators of each hour."""

import numpy as np
import pandas as pd
import pytest

from pipeline.columns.terms import Settings, cyclic, prepare


@pytest.mark.parametrize(("part", "period"), [*cyclic.PERIODS.items()])
def test_neighbours_are_as_far_apart_across_midnight_as_at_noon(part, period):
    Phi = cyclic.bends(np.arange(period), np.ones(period), 1.0, period)
    steps = np.linalg.norm(Phi - np.roll(Phi, 1, axis=0), axis=1)
    np.testing.assert_allclose(steps, steps[0])
    assert np.linalg.matrix_rank(Phi) == period - 1
    np.testing.assert_allclose(Phi.mean(axis=0), 0, atol=1e-12)


def test_hours_bend_without_a_straight_line():
    times = pd.DataFrame({"at": pd.date_range("1970-01-01", periods=48, freq="30min")})
    _, features, rows = prepare(times, Settings(smoothness=10.0))
    hours = [k for k, name in enumerate(features.names) if name.startswith("at: hour")]
    assert len(hours) == 23
    assert all(", bend " in features.names[k] for k in hours)
    X = np.concatenate([block.features(features.T) for block in rows.blocks])[:, hours]
    distance = np.linalg.norm(X[46] - X[0]), np.linalg.norm(X[22] - X[24]), np.linalg.norm(X[46] - X[22])
    assert distance[0] == pytest.approx(distance[1])
    assert distance[0] < distance[2] / 2


def test_straight_lines_of_parts_stay_where_nothing_bends():
    times = pd.DataFrame({"at": pd.date_range("1970-01-01", periods=48, freq="30min")})
    _, features, _ = prepare(times, Settings())
    assert features.names.tolist() == ["at: hour", "at: minute"]
