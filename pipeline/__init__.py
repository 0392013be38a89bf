"""Logistic regression from scratch in NumPy, as a DVC pipeline configured by Hydra and tracked in MLflow."""
