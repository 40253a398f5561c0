"""Label cleaning: leaves out rows whose expression contradicts valence and arousal (EmoNet).

Rules of Toisoul et al. 2021 (Nature Machine Intelligence 3:42-50), as published in their code
(github.com/face-analysis/emonet, emonet/data/affecnet.py). They hold for train and validation
alike: the numbers that EmoNet reports are on a cleaned validation set.
"""

import math
from collections.abc import Callable

from pipeline.rows import annotations

RULES = ("none", "emonet")

# label → (whether valence and arousal agree with it, intensity that a row must exceed)
_RULES_OF_LABEL: dict[int, tuple[Callable[[float, float], bool], float]] = {
    1: (lambda v, a: v > 0, 0.2),
    2: (lambda v, a: v < 0, 0.2),
    3: (lambda v, a: a > 0, 0.2),
    4: (lambda v, a: a >= 0 and v <= 0, 0.2),
    5: (lambda v, a: v < 0, 0.3),
    6: (lambda v, a: a > 0, 0.2),
    7: (lambda v, a: v < 0, 0.2),
}
NEUTRAL_INTENSITY = 0.2


def contradiction(row: annotations.Row, rules: str) -> str:
    """Return why a row is left out, or "".

    Intensity is the distance from the origin of the valence/arousal plane. A row without valence or
    arousal, or with none of the eight expressions, cannot contradict itself and stays.
    """
    if rules == "none" or math.isnan(row.valence) or math.isnan(row.arousal):
        return ""
    intensity = math.hypot(row.valence, row.arousal)
    if row.label == 0:
        return "neutral but intense" if intensity >= NEUTRAL_INTENSITY else ""
    if row.label not in _RULES_OF_LABEL:
        return ""
    agrees, weakest = _RULES_OF_LABEL[row.label]
    if not agrees(row.valence, row.arousal):
        return "valence or arousal contradicts the expression"
    return "too weak for its expression" if intensity <= weakest else ""
