"""Attributes of examples as groups: categories, and ranges of numbers.

Owns how texts become groups, and the flag --groups of trainer.evaluate. Ranges of equal width were
rejected where nobody gives edges: ages and sizes are skewed, and most groups would be too small.
"""

import dataclasses
import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from runtime import errors, fields

EDGES: Mapping[str, tuple[float, ...]] = {
    "age": (20, 40, 60),
    "face_px": (64, 128, 256),
    "yaw_deg": (15, 30),
    "brightness": (85, 170),
}
"""Edges of ranges where none are given, by attribute; of others, thirds of the examples."""

LEAST_IMAGES = 50
"""Groups of fewer have no numbers: their accuracy would be known to 14 points at best."""

MOST_VALUES = 8
"""More different numbers than this are divided into ranges."""

MOST_GROUPS = 20
"""More categories than this are no groups, but names or ids."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attribute:
    """Groups of N examples by one attribute."""

    name: str
    groups: tuple[str, ...]
    codes: np.ndarray  # int64[N], index of the group; -1 where the attribute is not known


def parse(text: str) -> dict[str, tuple[float, ...]]:
    """Return the attributes that --groups names, with the edges of their ranges, if given.

    Raises:
      errors.UserError: for an empty name, one that is there twice, and edges that do not rise.
    """
    found: dict[str, tuple[float, ...]] = {}
    for part in text.split(",") if text else ():
        name, *edges = (each.strip() for each in part.split(":"))
        if not name or name in found:
            raise errors.UserError(
                f"--groups must name each attribute once, as in age:20:40:60,gender: got {text}"
            )
        found[name] = tuple(_number(edge) for edge in edges)
        if any(low >= high for low, high in zip(found[name], found[name][1:], strict=False)) or any(
            map(math.isnan, found[name])
        ):
            raise errors.UserError(
                f"--groups must give rising numbers as the edges of {name}, as in age:20:40:60: "
                f"got {part.strip()}"
            )
    return found


def check(asked: Iterable[str], *, names: Collection[str]) -> None:
    """Check that all attributes that are asked for are among those of the data.

    Raises:
      errors.UserError: naming the first that is not, and those that are.
    """
    for name in asked:
        if name not in names:
            has = f"the data have {', '.join(names)}" if names else "the data have none"
            raise errors.UserError(
                f"--groups={name} names no attribute: {has}; the job stores them "
                "(pipeline.main --groups), or a list has them (--groups_csv)"
            )


def make(
    texts: Mapping[str, np.ndarray], *, asked: Mapping[str, tuple[float, ...]]
) -> tuple[Attribute, ...]:
    """Return the attributes of examples as groups.

    Those that are not asked for by name are left out, with a printed line, where they are no
    groups.

    Args:
      texts: str[N] of each attribute, by name; "" where it is not known.
      asked: attributes to take, with edges; none: all.

    Raises:
      errors.UserError: for an attribute asked for that is not there, or is no group.
    """
    check(asked, names=texts)
    found = []
    for name in asked or texts:
        try:
            found.append(of(name, texts[name], edges=asked.get(name, ())))
        except ValueError as error:
            if asked:
                raise errors.UserError(f"--groups={name}: {error}") from None
            print(f"groups        {name} is left out: {error}", flush=True)
    return tuple(found)


def of(name: str, texts: np.ndarray, *, edges: Sequence[float] = ()) -> Attribute:
    """Return one attribute as groups.

    Args:
      name: of the attribute.
      texts: str[N]; "" where it is not known.
      edges: of the ranges of a number, rising; none: EDGES, or thirds.

    Raises:
      ValueError: if there are edges and a value is no number, or there are too many categories.
    """
    known = texts != ""
    numbers = np.array([_number(text) for text in texts.tolist()])
    are_numbers = known.any() and not np.isnan(numbers[known]).any()
    if edges and not are_numbers:
        wrong = next(iter(texts[known & np.isnan(numbers)]), "nothing")
        raise ValueError(f"ranges need numbers, and it has {wrong!s:.40}")
    if edges or (are_numbers and len(np.unique(numbers[known])) > MOST_VALUES):
        return _ranges(name, numbers, edges=edges or EDGES.get(name) or _thirds(numbers[known]))
    categories = np.unique(texts[known])
    if len(categories) > MOST_GROUPS:
        raise ValueError(
            f"it has {len(categories):,} different values, and groups are at most {MOST_GROUPS}"
        )
    if are_numbers:
        categories = categories[np.argsort([float(each) for each in categories], kind="stable")]
    index = {text: code for code, text in enumerate(categories.tolist())}
    codes = np.array([index.get(text, -1) for text in texts.tolist()], np.int64)
    return Attribute(name=name, groups=tuple(index), codes=codes)


def _ranges(name: str, numbers: np.ndarray, *, edges: Sequence[float]) -> Attribute:
    """Return ranges, of which each holds its lower end; NaN is not known."""
    ends = [f"{edge:.15g}" for edge in edges]  # Enough for dates: of equal names one is lost.
    inner = [f"{low} to {high}" for low, high in itertools.pairwise(ends)]
    codes = np.searchsorted(np.array(edges), numbers, side="right")
    return Attribute(
        name=name,
        groups=(f"below {ends[0]}", *inner, f"{ends[-1]} or more"),
        codes=np.where(np.isnan(numbers), -1, codes),
    )


def _thirds(numbers: np.ndarray) -> tuple[float, ...]:
    """Return edges, rounded to three digits, that divide numbers into thirds."""
    cuts = [float(f"{cut:.3g}") for cut in np.quantile(numbers, (1 / 3, 2 / 3))]
    return tuple(sorted(set(cuts)))


def _number(text: str) -> float:
    """Return a text as a finite number, or NaN."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) and fields.is_plain(text) else math.nan
