"""Appearance of a person apart from the face's shape: skin, hair, eyes, beard, glasses, clothes.

Owns appearance, drawn at random. Nothing here depends on the expression, so nothing here can leak
the label.
"""

import dataclasses

import numpy as np

from synthetic_faces.canvas import paint

# Blue, green, red; from fair to dark.
SKINS: tuple[paint.Colour, ...] = (
    (182, 198, 228), (166, 188, 226), (146, 176, 220), (128, 160, 209), (104, 138, 192),
    (82, 112, 166), (62, 86, 134), (48, 66, 104),
)  # fmt: skip
_TONES = ("light", "light", "light", "medium", "medium", "dark", "dark", "dark")
"""Of each of SKINS."""
HAIRS: tuple[paint.Colour, ...] = (
    (28, 26, 30), (34, 38, 52), (40, 58, 86), (52, 84, 124), (96, 150, 190), (140, 190, 222),
    (40, 70, 150), (160, 164, 168), (215, 218, 222),
)  # fmt: skip
IRISES: tuple[paint.Colour, ...] = (
    (30, 50, 78), (36, 66, 104), (52, 96, 120), (86, 126, 104), (150, 120, 80), (120, 108, 98),
    (24, 34, 50),
)  # fmt: skip
HAIR_STYLES: tuple[str, ...] = (
    "bald",
    "cropped",
    "short",
    "swept",
    "fringe",
    "long",
    "bob",
    "curly",
    "cap",
    "scarf",
)
BEARDS: tuple[str, ...] = ("none", "stubble", "moustache", "full", "goatee")
GLASSES: tuple[str, ...] = ("none", "round", "square", "dark")


@dataclasses.dataclass(frozen=True)
class Look:
    """A person's colours (blue, green, red) and styles; `age` is 0 (smooth) to 1 (lined)."""

    skin: paint.Colour
    hair: paint.Colour
    iris: paint.Colour
    lips: paint.Colour
    cloth: paint.Colour
    hair_style: str
    beard: str
    glasses: str
    brow_weight: float
    age: float
    freckled: bool


def skin_tone(skin: paint.Colour) -> str:
    """Return the nearest of SKINS in words: light, medium or dark."""
    distances = np.linalg.norm(np.array(SKINS) - np.array(skin), axis=1)
    return _TONES[int(distances.argmin())]


def age_years(look: Look) -> int:
    """Return an age in years for how lined a face is, 18 to 80."""
    return round(18 + 62 * look.age)


def draw_look(rng: np.random.Generator) -> Look:
    """Draw a person."""
    skin = _varied(SKINS[int(rng.integers(len(SKINS)))], rng=rng)
    hair = _varied(HAIRS[int(rng.integers(len(HAIRS)))], rng=rng)
    bearded = rng.random() < 0.5
    # The order of the fields is the order of the random draws, which decides the bytes.
    return Look(
        skin=skin,
        hair=hair,
        iris=_varied(IRISES[int(rng.integers(len(IRISES)))], rng=rng),
        lips=_lips(skin, painted=not bearded and rng.random() < 0.35, rng=rng),
        cloth=_any_colour(rng),
        hair_style=str(rng.choice(HAIR_STYLES)),
        beard=_beard(rng) if bearded else "none",
        glasses=str(rng.choice(GLASSES, p=[0.84, 0.08, 0.08, 0.0])),
        brow_weight=float(rng.uniform(0.7, 1.5)),
        age=float(rng.uniform(0, 1) ** 2),
        freckled=bool(rng.random() < 0.12),
    )


def _beard(rng: np.random.Generator) -> str:
    return str(rng.choice(BEARDS, p=[0.4, 0.25, 0.1, 0.15, 0.1]))


def _varied(colour: paint.Colour, *, rng: np.random.Generator) -> paint.Colour:
    blue, green, red = np.clip(
        np.array(colour) * rng.uniform(0.93, 1.07) + rng.uniform(-6, 6, size=3), 8, 250
    ).tolist()
    return blue, green, red


def _lips(skin: paint.Colour, *, painted: bool, rng: np.random.Generator) -> paint.Colour:
    rosy = paint.mixed(paint.scaled(skin, 0.82), (92, 78, 178), float(rng.uniform(0.3, 0.5)))
    if not painted:
        return rosy
    return paint.mixed(rosy, (70, 36, 186), float(rng.uniform(0.4, 0.8)))


def _any_colour(rng: np.random.Generator) -> paint.Colour:
    blue, green, red = rng.uniform(25, 225, size=3).tolist()
    return blue, green, red
