"""Evaluation: logits to probabilities, metrics, intervals and significance tests."""
