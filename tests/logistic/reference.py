"""Cases whose optimum is known from elsewhere: see tests/data/README.md."""

import json
from pathlib import Path

import numpy as np
from sklearn import datasets

DATA = Path(__file__).parents[1] / "data"
EXPECTED = json.loads((DATA / "logistic_expected.json").read_text())
TEMPERATURES_23 = [66, 70, 69, 68, 67, 72, 73, 70, 57, 63, 70, 78, 67, 53, 67, 75, 70, 81, 76, 79, 75, 76, 58]
DISTRESS_23 = [0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1]
TEMPERATURES_24 = [53, 56, 57, 63, 66, 67, 67, 67, 68, 69, 70, 70, 70, 70, 72, 73, 75, 75, 76, 76, 78, 79, 80, 81]
FAILURE_24 = [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]


def standardized(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def exam_scores():
    data = np.loadtxt(DATA / "ex2data1.txt", delimiter=",")
    return data[:, :2], data[:, 2].astype(int)


def microchips():
    data = np.loadtxt(DATA / "ex2data2.txt", delimiter=",")
    x1, x2 = data[:, 0], data[:, 1]
    return np.column_stack([x1 ** (i - j) * x2**j for i in range(1, 7) for j in range(i + 1)]), data[:, 2].astype(int)


def admissions():
    data = np.loadtxt(DATA / "ucla_binary.csv", delimiter=",", skiprows=1)
    ranks = [data[:, 3] == rank for rank in (2, 3, 4)]
    return np.column_stack([data[:, 1], data[:, 2], *ranks]), data[:, 0].astype(int)


def heart():
    X, y = datasets.load_svmlight_file(str(DATA / "heart_scale"))
    return X.toarray(), (y > 0).astype(int)


def breast_cancer():
    X, y = datasets.load_breast_cancer(return_X_y=True)
    return standardized(X), y


def glmnet_example():
    X = np.column_stack([np.arange(-4, 5), [0, 0, 1, 0, 1, 1, 1, 0, 0]])
    return X.astype(float), np.array([0, 0, 0, 1, 1, 1, 1, 1, 1])


BINARY = {
    "ng_ex2_1_opt": exam_scores,
    "ng_ex2_2_lam1": microchips,
    "ng_ex2_2_lam100": microchips,
    "ucla_admit": admissions,
    "challenger23": lambda: (np.array(TEMPERATURES_23, dtype=float)[:, None], np.array(DISTRESS_23)),
    "challenger24_montgomery": lambda: (np.array(TEMPERATURES_24, dtype=float)[:, None], np.array(FAILURE_24)),
    "sklearn_glmnet_2class": glmnet_example,
    "heart_scale_noint_lam1": heart,
    "heart_scale_lam1": heart,
    "breast_cancer_std_lam1": breast_cancer,
    "breast_cancer_std_lam10": breast_cancer,
}
