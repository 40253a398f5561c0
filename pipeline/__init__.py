"""Pipeline: the Beam job that turns a copy of AffectNet into TFRecords, and its programs."""

import sys

from runtime import signals

if sys.argv[0] == "-m":  # As long as python -m is looking for the program.
    signals.end_at_once()  # First: what follows is imported in a second.
    from runtime import program

    program.explain_failed_imports()
