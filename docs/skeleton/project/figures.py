"""The pictures."""

from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from sklearn.metrics import ConfusionMatrixDisplay


def confusion(actual: ArrayLike, predicted: ArrayLike) -> Figure:
    """How often each class was predicted for each class, (n_samples,) both."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(actual, predicted, ax=figure.subplots(), cmap="Blues", colorbar=False)
    return figure
