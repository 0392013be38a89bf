"""A data set of scikit-learn as training rows and test rows."""

from pathlib import Path

from sklearn import datasets
from sklearn.model_selection import train_test_split

from project import settings


def main() -> None:
    data, folder = settings("data"), Path("outputs/load")
    table = getattr(datasets, f"load_{data['name']}")(as_frame=True).frame
    parts = train_test_split(table, test_size=data["test_size"], random_state=data["seed"], stratify=table["target"])
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in zip(("training", "test"), parts, strict=True):
        part.to_csv(folder / f"{name}.csv", index=False)
