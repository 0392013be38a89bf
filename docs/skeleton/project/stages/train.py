"""Fit a logistic regression, score it on the test rows, and draw the confusion matrix."""

import json
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from project import figures, settings

FOLDER = Path("outputs/train")


def main() -> None:
    training, test = (pd.read_csv(f"outputs/load/{name}.csv") for name in ("training", "test"))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=settings("train")["C"], max_iter=1000))
    model.fit(training.drop(columns="target"), training["target"])
    X, y = test.drop(columns="target"), test["target"]
    scores = {"accuracy": accuracy_score(y, model.predict(X)), "log_loss": log_loss(y, model.predict_proba(X))}
    weights = pd.DataFrame(model[-1].coef_, columns=X.columns)
    FOLDER.mkdir(parents=True, exist_ok=True)
    weights.round(9).to_csv(FOLDER / "weights.csv", index=False)
    figures.confusion(y, model.predict(X)).savefig(FOLDER / "confusion.png", dpi=150, metadata={"Software": None})
    rounded = {name: round(float(value), 9) for name, value in scores.items()}
    Path("outputs/train.json").write_text(json.dumps(rounded, indent=2) + "\n", encoding="utf-8")
