"""Action units, valence and arousal of each of AffectNet's expressions.

Owns prototypes, their variants, blends of two, and the mixtures for AffectNet's None and Uncertain.
Prototypes are those of the FACS Investigator's Guide, Table 10-1 (Ekman, Friesen & Hager 2002) and
EMFACS (Friesen & Ekman 1983); contempt is the one-sided 12+14 (Ekman & Friesen 1986). The centres
in valence and arousal are ours, in the quadrants of Russell's circumplex (1980): AffectNet's are
published as a figure without numbers.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from affectnet_tfds import labels
from synthetic_faces.subject import action_units

NEUTRAL, HAPPY, SAD, SURPRISE, FEAR, DISGUST, ANGER, CONTEMPT, NONE, UNCERTAIN, NO_FACE = range(11)

# Expression → variants; a variant is unit → intensity at the expression's full strength.
PROTOTYPES: dict[int, tuple[dict[int, float], ...]] = {
    NEUTRAL: ({},),
    HAPPY: ({6: 1.0, 12: 1.0}, {6: 1.0, 12: 1.0, 25: 1.0}, {6: 1.0, 12: 1.0, 25: 1.0, 26: 0.55}),
    SAD: ({1: 1.0, 4: 0.45, 15: 1.0}, {1: 1.0, 4: 0.55, 15: 1.0, 17: 0.8},
          {1: 0.9, 4: 0.4, 15: 1.1, 43: 0.3}),
    SURPRISE: ({1: 1.0, 2: 1.0, 5: 0.8, 26: 1.0}, {1: 1.0, 2: 1.0, 5: 0.8, 27: 0.9}),
    FEAR: (
        {1: 1.0, 2: 0.45, 4: 0.6, 5: 1.2, 20: 1.0, 25: 1.1},
        {1: 1.0, 2: 0.4, 4: 0.6, 5: 1.2, 20: 1.1, 25: 0.7, 26: 0.35},
    ),
    DISGUST: ({9: 1.0, 15: 0.5, 16: 0.6}, {9: 1.1, 10: 0.5, 17: 0.6}, {9: 0.8, 10: 1.0, 25: 0.5}),
    ANGER: (
        {4: 1.1, 5: 0.7, 7: 0.7, 23: 1.0},
        {4: 1.1, 5: 0.6, 7: 0.8, 17: 0.5, 23: 0.9},
        {4: 1.1, 5: 0.8, 7: 0.5, 16: 0.5, 20: 0.3, 25: 0.5},
    ),
    CONTEMPT: ({12: 1.15, 14: 1.0}, {12: 1.3, 14: 0.7}),
}  # fmt: skip

# Expression → (valence, arousal) at full strength.
CENTRES: dict[int, tuple[float, float]] = {
    NEUTRAL: (0.0, 0.0),
    HAPPY: (0.82, 0.25),
    SAD: (-0.75, -0.40),
    SURPRISE: (0.20, 0.85),
    FEAR: (-0.55, 0.85),
    DISGUST: (-0.80, 0.45),
    ANGER: (-0.65, 0.78),
    CONTEMPT: (-0.65, 0.40),
    NONE: (0.0, 0.1),
}


@dataclasses.dataclass(frozen=True)
class Expression:
    """Active units of a face, and its valence and arousal in [-1, 1], or labels.NO_VALUE."""

    code: int
    activity: action_units.Activity
    valence: float
    arousal: float


class Blend(NamedTuple):
    """An expression between two: `share` of the first of them, 0..1, the rest of the second."""

    first: int
    second: int
    share: float


def draw_blend(blend: Blend, *, rng: np.random.Generator) -> Expression:
    """Draw an expression between two of codes 0..7: the intensities of both, weighted."""
    one, other = (draw_expression(code, rng=rng) for code in (blend.first, blend.second))
    rest = action_units.both(0.0)
    activity = {
        unit: _between(one.activity.get(unit, rest), other.activity.get(unit, rest), blend.share)
        for unit in sorted(one.activity.keys() | other.activity.keys())
    }
    return Expression(
        code=blend.first,
        activity=activity,
        valence=round(blend.share * one.valence + (1 - blend.share) * other.valence, 4),
        arousal=round(blend.share * one.arousal + (1 - blend.share) * other.arousal, 4),
    )


def _between(
    one: action_units.Sides, other: action_units.Sides, share: float
) -> action_units.Sides:
    return action_units.Sides(
        left=share * one.left + (1 - share) * other.left,
        right=share * one.right + (1 - share) * other.right,
    )


def draw_expression(code: int, *, rng: np.random.Generator) -> Expression:
    """Draw an expression for an AffectNet code 0..10."""
    strength = float(rng.uniform(0.78, 1.1))
    if code == NONE:
        activity = _mixed_activity(rng, low=0.15, high=0.45)
    elif code in (UNCERTAIN, NO_FACE):
        activity = _mixed_activity(rng, low=0.4, high=0.8)
    else:
        activity = _prototype_activity(code, strength=strength, rng=rng)
    valence, arousal = _valence_arousal(code, strength=strength, rng=rng)
    return Expression(code=code, activity=activity, valence=valence, arousal=arousal)


def _prototype_activity(
    code: int, *, strength: float, rng: np.random.Generator
) -> action_units.Activity:
    variants = PROTOTYPES[code]
    prototype = variants[int(rng.integers(len(variants)))]
    activity = {unit: _sides(peak * strength, rng=rng) for unit, peak in prototype.items()}
    if code == CONTEMPT:
        left = bool(rng.integers(2))
        activity = {unit: _one_side(sides, left=left) for unit, sides in activity.items()}
    return _at_rest(rng) | activity


def _sides(intensity: float, *, rng: np.random.Generator) -> action_units.Sides:
    """Vary an intensity by a tenth, and a little between the sides: no face is symmetrical."""
    level = intensity * rng.uniform(0.88, 1.12)
    tilt = rng.uniform(-0.07, 0.07)
    return action_units.Sides(left=float(level * (1 + tilt)), right=float(level * (1 - tilt)))


def _one_side(sides: action_units.Sides, *, left: bool) -> action_units.Sides:
    weak = 0.06 * sides.mean
    if left:
        return action_units.Sides(sides.left, weak)
    return action_units.Sides(weak, sides.right)


def _at_rest(rng: np.random.Generator) -> dict[int, action_units.Sides]:
    """Draw half-lowered lids and slightly parted lips, which carry no expression."""
    lids = action_units.both(float(rng.uniform(0.0, 0.22)))
    lips = action_units.both(float(rng.choice([0.0, 0.0, 0.35])))
    return {43: lids, 25: lips}


def _mixed_activity(rng: np.random.Generator, *, low: float, high: float) -> action_units.Activity:
    """Mix the units of two expressions that do not belong together, some on one side only."""
    first, second = rng.choice([HAPPY, SAD, SURPRISE, FEAR, DISGUST, ANGER], size=2, replace=False)
    mixed = PROTOTYPES[int(first)][0] | PROTOTYPES[int(second)][-1]
    kept = [unit for unit in sorted(mixed) if rng.random() < 0.7]
    activity = {unit: _sides(mixed[unit] * rng.uniform(low, high), rng=rng) for unit in kept}
    if rng.random() < 0.35:
        activity[43] = action_units.Sides(float(rng.random()), float(rng.random()))
    return activity


def _valence_arousal(
    code: int, *, strength: float, rng: np.random.Generator
) -> tuple[float, float]:
    if code not in CENTRES:
        return labels.NO_VALUE, labels.NO_VALUE
    noisy = np.array(CENTRES[code]) * strength + rng.normal(0, 0.05, size=2)
    valence, arousal = np.round(np.clip(noisy, -1, 1), 4).tolist()
    return valence, arousal
