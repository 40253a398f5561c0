"""Numbers on an axis: where ticks go, how they are written, and where a value is drawn."""

import math
from typing import NamedTuple


class Scale(NamedTuple):
    """Maps low..high to start..stop in the drawing's own units; start may be the larger."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """Return where a value is drawn, to a tenth of a unit."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.stop - self.start), 1)


def ticks(low: float, high: float, *, count: int = 5) -> list[float]:
    """Return about `count` round numbers in low..high, 1, 2 or 5 times a power of ten apart."""
    step = _step((high - low) / count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def ceiling(value: float, *, count: int = 5) -> float:
    """Return the next round number at or above a value, so that an axis ends on a tick."""
    if value <= 0:
        return 1.0
    step = _step(value / count)
    return round(math.ceil(value / step - 1e-9) * step, 10)


def text(value: float) -> str:
    """Write a tick: 0.25, 40, 1,500, 20k, 3M."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * unit or (abs(value) >= unit and letter == "M"):
            return f"{value / unit:g}{letter}"
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * n for n in (1, 2, 5, 10) if power * n >= rough * (1 - 1e-9))
