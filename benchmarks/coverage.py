"""How often an interval of 95 % holds the true score: 500 rows, of which 7 % are of the rarer class.

    python -m benchmarks coverage [SIMULATIONS]

The true score is that of 1,000,000 rows. Probabilities hold; the class is the more probable one.
"""

import numpy as np
import pandas as pd

from pipeline.scores.bootstrap import interval, of_rare_classes, resampled
from pipeline.scores.scores import scores

ROWS, CLASSES = 500, np.array(["a", "b"])
SIGNALS = {"weak": 1.5, "strong": 3.0}


def drawn(n: int, signal: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Classes, predicted classes and probabilities of n rows."""
    x, shift = rng.normal(size=n), {1.5: -3.4, 3.0: -5.2}[signal]
    p = 1 / (1 + np.exp(-(signal * x + shift)))
    return CLASSES[(rng.random(n) < p).astype(int)], CLASSES[(p > 0.5).astype(int)], np.column_stack([1 - p, p])


def coverage(signal: float, simulations: int) -> pd.DataFrame:
    """A row for each score: its true value, and the shares of simulations that draws alone and the report hold it."""
    truth, rng = scores(*drawn(1_000_000, signal, np.random.default_rng(1)), CLASSES), np.random.default_rng(2)
    held = {name: np.zeros(2) for name in truth}
    for _ in range(simulations):
        y, predicted, P = drawn(ROWS, signal, rng)
        draws = resampled(y, {"model": (predicted, P)}, CLASSES)["model"]
        table = {"actual": y, "predicted": predicted, "probability_a": P[:, 0], "probability_b": P[:, 1]}
        rare = of_rare_classes(pd.DataFrame(table))
        for name, value in truth.items():
            low, high = interval(draws[name])
            wide = rare.get(name, (low, high))
            held[name] += low <= value <= high, min(low, wide[0]) <= value <= max(high, wide[1])
    shares = {name: [truth[name], *(of / simulations)] for name, of in held.items()}
    return pd.DataFrame.from_dict(shares, orient="index", columns=["true", "draws", "report"])


def main(arguments: list[str]) -> None:
    simulations = int(arguments[0]) if arguments else 500
    print("| signal | score | true value | held by draws alone | held by the report |\n|---|---|---|---|---|")
    for name, signal in SIGNALS.items():
        for row in coverage(signal, simulations).itertuples():
            print(f"| {name} | {row.Index} | {row.true:.3f} | {row.draws:.1%} | {row.report:.1%} |", flush=True)
