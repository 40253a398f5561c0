"""Trainer: one program per file; trains, evaluates, compares, exports and applies classifiers."""

import sys

from runtime import program

if sys.argv[0] == "-m":  # As long as python -m is looking for the program.
    program.explain_failed_imports()
