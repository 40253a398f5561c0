"""Trainer: one program per file; trains, evaluates, compares, exports and applies classifiers."""
