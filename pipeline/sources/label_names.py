"""Names of expressions and splits in any spelling, and AffectNet's codes for them.

A number is taken as AffectNet's code only where the numbers can be AffectNet's. Indices of sorted
class names, as folder readers make them, and other data sets' codes look the same, and would be
trained on as wrong labels.
"""

import re
from collections.abc import Iterable, Mapping

from affectnet_tfds import labels
from pipeline.sources import folder_walk
from runtime import errors, fields

NAMES: Mapping[str, int] = {
    name: code
    for code, names in enumerate(
        (
            "neutral neutrality",
            "happy happiness joy joyful",
            "sad sadness",
            "surprise surprised suprise suprised",
            "fear fearful afraid scared",
            "disgust disgusted",
            "anger angry",
            "contempt contemptuous",
            "none",
            "uncertain unknown unsure",
            "noface nonface nf",
        )
    )
    for name in names.split()
}
"""Normalised name → AffectNet's code."""

_SPLITS = {
    "train": "train",
    "val": "validation",
    "publictest": "validation",
    "test": "test",
    "privatetest": "test",
}


def code_of(name: str) -> int | None:
    """Return the code of an expression's name in any spelling ("0_Neutral" included), or None."""
    return NAMES.get(folder_walk.normalised(name).strip("0123456789"))


def split_of(name: str) -> str:
    """Return the split that a name begins with, or "".

    Train, val, valid_set, PublicTest and train_00001.jpg all begin with one.
    """
    word = re.match(
        r"(train|val|publictest|test|privatetest)(ing|id|idation)?(set|images|data)?(?![a-z])",
        _start(name),
    )
    if not word:
        return ""
    return _SPLITS[word[1]]


def _start(name: str) -> str:
    return re.sub(r"^[^a-z]+|(?<=[a-z])[ _-]+(?=set|images|data)", "", name.lower())


def parse_labels(text: str) -> dict[str, str]:
    """Parse --labels: a label as written (normalised) → AffectNet's code, as text.

    Raises:
      errors.UserError: for anything else than label=expression, and an unknown expression.
    """
    by_number = {str(code): code for code in range(len(labels.EXPRESSIONS))}
    parsed = {}
    for label, expression in pairs(text, flag="--labels", like="1=surprise,2=fear"):
        code = by_number.get(expression, code_of(expression))
        if code is None:
            known = ", ".join(labels.EXPRESSIONS)
            raise errors.UserError(
                f"--labels must give each label one of {known}: got {label}={expression}"
            )
        parsed[as_written(label)] = str(code)
    return parsed


def as_written(label: str) -> str:
    """Return a label in the form in which --labels compares it: 3.0 is 3, and case is ignored."""
    try:
        number = float(label)
    except ValueError:
        return folder_walk.normalised(label)
    if not fields.is_plain(label):
        return label.strip()
    if number.is_integer():
        return str(int(number))
    return label.strip()


def pairs(text: str, *, flag: str, like: str) -> list[tuple[str, str]]:
    """Return the (key, value) pairs of a flag.

    Raises:
      errors.UserError: for a part without "=".
    """
    parts = [part.partition("=") for part in text.split(",") if part.strip()]
    for key, equals, value in parts:
        if not (equals and key.strip() and value.strip()):
            raise errors.UserError(f"{flag} must be like {flag}={like}: got {key!r} in {text!r}")
    return [(key.strip(), value.strip()) for key, _, value in parts]


def codes(names: Iterable[str], *, given: Mapping[str, str], where: str) -> dict[str, int]:
    """Return the code of every name that has one.

    Args:
      names: of folders, or of the classes in a data.yaml.
      given: the result of `parse_labels`; where it is not empty, it alone counts for numbers.
      where: source of the names, for the message.

    Raises:
      errors.UserError: for numbers that are not AffectNet's codes.
    """
    by_name = {name: int(given[as_written(name)]) for name in names if as_written(name) in given}
    others = [name for name in names if name not in by_name]
    by_name |= {
        name: code
        for name in others
        if not fields.is_count(name) and (code := code_of(name)) is not None
    }
    numbers = {name: int(name) for name in others if fields.is_count(name)}
    if given or not numbers:
        return by_name
    if 0 not in numbers.values() or max(numbers.values()) >= len(labels.EXPRESSIONS):
        listed = ", ".join(sorted(numbers, key=int)[:12])
        raise errors.UserError(
            "numbers are taken as AffectNet's codes where they begin with 0 and end by 10: "
            f"{where} has {listed}; give their meaning, as in --labels=1=surprise,2=fear"
        )
    return by_name | numbers
