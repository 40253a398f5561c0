"""Exception for an image or annotation that cannot be used."""

import pathlib
import traceback

DEFECT = "defect of this program"
"""Reason of what no rule explains: an error of ours, told apart from those of the data."""


class InvalidExample(ValueError):
    """An image or annotation breaks a rule.

    `reason` is the kind of defect in a few words; the message is the rule and the value.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def of_defect(error: Exception) -> InvalidExample:
    """Return an error of ours as the reject of the image or annotation that it was raised for.

    The message says what it is and where it was raised, so that it can be reported.
    """
    where = traceback.extract_tb(error.__traceback__)[-1]
    said = " ".join(str(error).split())
    return InvalidExample(
        DEFECT,
        f"please report it: {type(error).__name__} in {pathlib.Path(where.filename).name}, line "
        f"{where.lineno}: {said}",
    )
