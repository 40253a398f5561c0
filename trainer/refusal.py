"""What a person can put right: one sentence on stderr and exit code 2.

Owns the exception that carries the sentence. Plain ValueErrors were rejected as the carrier because a program that
prints every ValueError without its traceback hides its own defects.
"""

import difflib
from collections.abc import Iterable

EXIT_CODE = 2


class Refusal(Exception):
    """Say no to what was asked: the rule, the value, where it came from and the way out."""


def nearest(name: str, *, known: Iterable[str]) -> str:
    """Return the tail of a sentence that helps with an unknown name: the nearest known one, or all of them."""
    names = sorted(known)
    return guess(name, known=names) or f"there are: {', '.join(names)}"


def guess(name: str, *, known: Iterable[str]) -> str:
    """Return a question with the known name nearest to an unknown one, or nothing where none is near."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else ""
