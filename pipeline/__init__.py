"""Pipeline: the Beam job that turns a copy of AffectNet into TFRecords, and its programs."""

import sys

from runtime import program

if sys.argv[0] == "-m":  # As long as python -m is looking for the program.
    program.explain_failed_imports()
