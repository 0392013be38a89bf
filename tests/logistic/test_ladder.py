"""The ladder from the formula to threads: each rung against the one before. docs/ladder.md shows it."""

import numpy as np
import pytest

from pipeline.logistic import objective as formula
from pipeline.logistic.binomial import Binomial
from pipeline.logistic.blocks import Strip
from pipeline.logistic.matrix import Block, Matrix
from pipeline.logistic.one_exp import OneArray
from pipeline.logistic.penalty import Ridge
from pipeline.logistic.strips import Strips
from pipeline.logistic.threads import workers

LOSS = Binomial()


def example(n=30_001, n_columns=2):
    rng = np.random.default_rng(0)
    dense, codes = rng.normal(size=(n, 6)), rng.integers(0, 5, (n, 2)).astype(np.int32) + np.array([0, 5], np.int32)
    matrix, y = Matrix([Block(dense, codes, 10)]), rng.integers(0, 2, n)
    return matrix, y, rng.normal(size=(17, n_columns)) / 3, rng.uniform(0.5, 2, n)


def evaluated(rows, W):
    """The sums of the loss, and those of the gradient."""
    out, buffer = np.empty(W.shape), rows.buffer(1, W.shape[1])
    rows.evaluate(LOSS, None, W, out, buffer[0])
    return rows.values(LOSS, None, W[None], buffer)[0], out


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_columns", [1, 2])
def test_one_exponential_is_the_formula(weighted, n_columns):
    matrix, y, W, weight = example(203, n_columns)
    X, Y = matrix.toarray(), np.column_stack([y] * n_columns)
    s = (weight / weight.sum())[:, None] if weighted else np.array(1 / len(y))
    rows = OneArray(X, y, s, n_columns=n_columns)
    sums = rows.label_sums(np.array([1]))
    values, out = evaluated(rows, W)
    weight = weight if weighted else None
    np.testing.assert_allclose(values - W.T @ sums[:, 0], formula.cost(W, X, Y, Ridge(0), weight), rtol=1e-12)
    slope = out + sums[:, 1:] - sums[:, :1]
    np.testing.assert_allclose(slope, formula.gradient(W, X, Y, Ridge(0), weight), atol=1e-14)
    bends = rows.sandwich(LOSS, None, W, slice(None), False)
    np.testing.assert_allclose(bends, formula.curvature(W, X, Ridge(0), weight), atol=1e-14)


def test_blocks_of_numbers_and_codes_are_the_array():
    matrix, y, W, weight = example()
    s = (weight / weight.sum())[:, None]
    array, strip = OneArray(matrix.toarray(), y, s, n_columns=2), Strip(matrix.blocks[0], y, s, True, 2)
    assert len(strip.blocks) > 1
    for ours, theirs in zip(strip.evaluate(LOSS, None, W), evaluated(array, W), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-13)
    classes = np.array([0, 1])
    np.testing.assert_allclose(strip.label_sums(classes), array.label_sums(classes), atol=1e-13)
    ours = strip.sandwich(LOSS, None, W, matrix.T, slice(None), False)
    np.testing.assert_allclose(ours, array.sandwich(LOSS, None, W, slice(None), False), atol=1e-13)
    np.testing.assert_allclose(strip.squares(LOSS, None, W), array.squares(LOSS, None, W), atol=1e-13)
    np.testing.assert_allclose(strip.gram(matrix.T), array.gram(), atol=1e-13)
    np.testing.assert_allclose(strip.gram_product(W), array.gram_product(W), atol=1e-13)


def test_strips_in_threads_are_one_strip():
    matrix, y, W, _ = example()
    s = np.array(1 / len(y))
    one = Strip(matrix.blocks[0], y, s, True, 2).evaluate(LOSS, None, W)
    with workers() as run:
        rows = Strips(matrix, y, s, True, 2, run)
        assert len(rows.strips) > 1
        for ours, theirs in zip(evaluated(rows, W), one, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-13)
