"""Expression classes: AffectNet's codes, names and class lists.

Owns: names and order. AffectNet's own codes are kept as label numbers in every config (a 7- or
8-class config keeps the first 7 or 8), so that no file, model or paper of the field needs a
translation table; sorting class names, as folder readers do, was rejected because it silently
renumbers them.
"""

EXPRESSIONS: tuple[str, ...] = (
    "neutral",
    "happy",
    "sad",
    "surprise",
    "fear",
    "disgust",
    "anger",
    "contempt",
    "none",
    "uncertain",
    "no-face",
)
"""Names in the order of AffectNet's codes 0..10 (Mollahosseini et al. 2019, Table 2)."""

CLASS_COUNTS: tuple[int, ...] = (7, 8, 11)
"""Class lists in use: without contempt; all expressions; with none, uncertain and no-face."""

SUBSETS: tuple[str, ...] = ("manual", "automatic")
"""Kinds of annotation."""

DIFFICULTIES: tuple[str, ...] = ("easy", "challenging", "difficult")
"""AffectNet+'s subsets by difficulty, in the order of its codes 0..2."""

NO_VALUE = -2.0
"""AffectNet's value for missing valence and arousal."""


def class_names(num_classes: int) -> tuple[str, ...]:
    """Return the first `num_classes` expression names; label k is AffectNet's code k.

    Raises:
      ValueError: if `num_classes` is not 7, 8 or 11.
    """
    if num_classes not in CLASS_COUNTS:
        raise ValueError(f"classes must be 7, 8 or 11: got {num_classes}")
    return EXPRESSIONS[:num_classes]
