"""Tuning: hyperparameter search over many runs with Optuna."""
