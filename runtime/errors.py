"""Errors that the user can correct: one sentence on stderr and exit code 2.

Owns the exception that carries the sentence. Plain ValueErrors were rejected as the carrier because
a program that prints every ValueError without its traceback hides its own defects.
"""

import difflib
from collections.abc import Iterable

EXIT_CODE = 2


class UserError(Exception):
    """The input, the flags or the state of the disk do not allow what was asked for.

    The message is one sentence with the rule, the value, where it came from and the way out;
    programs print it and exit with `exit_code`. Anything else that is raised is a defect of ours
    and keeps its traceback.
    """

    exit_code = EXIT_CODE


def nearest(name: str, *, known: Iterable[str]) -> str:
    """Return the end of a sentence about an unknown name: the nearest known one, or all."""
    names = sorted(known)
    return guess(name, known=names) or f"there are: {', '.join(names)}"


def guess(name: str, *, known: Iterable[str]) -> str:
    """Return "did you mean X?" for the nearest known name, or "" if none is near."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else ""
