"""Trainer: one program per file; trains, evaluates, compares, exports and applies classifiers."""

import sys

if sys.argv[0] == "-m":  # As long as python -m is looking for the program.
    import _signal  # Built in: the module signal is itself imported in milliseconds.

    # Ctrl-C ends the process without a traceback, until it can say so, which takes imports.
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    from runtime import signals

    signals.end_at_once()
    from runtime import program

    program.explain_failed_imports()
