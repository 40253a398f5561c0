"""Scales of a chart: positions of ticks, their text, and positions of values."""

import math
from collections.abc import Iterable
from typing import NamedTuple

_VISIBLE = 0.02
"""A bar is hard to see below this fraction of the longest."""


class Scale(NamedTuple):
    """Maps low..high to start..stop in the drawing's own units; start may be the larger."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """Return the position of a value, to a tenth of a unit."""
        fraction = (value - self.low) / (self.high - self.low)
        return round(self.start + fraction * (self.stop - self.start), 1)


def ticks(low: float, high: float, *, count: int = 5) -> list[float]:
    """Return about `count` round numbers in low..high, 1, 2 or 5 times a power of ten apart."""
    step = _step((high - low) / count)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def ceiling(value: float, *, count: int = 5) -> float:
    """Return the next round number at or above a value, so that an axis ends on a tick."""
    if value <= 0:
        return 1.0
    step = _step(value / count)
    return round(math.ceil(value / step - 1e-9) * step, 10)


def needs_log(counts: Iterable[float]) -> bool:
    """Tell whether the smallest count above zero would hardly be seen beside the largest."""
    seen = [count for count in counts if count > 0]
    return bool(seen) and min(seen) < _VISIBLE * max(seen)


def log_length(count: float) -> float:
    """Return the length of a count's bar on a logarithmic scale, where a count of 1 has one too."""
    return math.log10(2 * count) if count > 0 else 0.0


def log_ticks(most: float) -> list[tuple[float, str]]:
    """Return (length, text) of the powers of ten up to a count."""
    powers = range(math.floor(math.log10(max(most, 1)) + 1e-9) + 1)
    return [(log_length(10**power), text(10**power)) for power in powers]


def text(value: float) -> str:
    """Return a tick's text: 0.25, 40, 1,500, 20k, 3M."""
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:g}M"
    if size >= 1e4:
        return f"{value / 1e3:g}k"
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:g}"


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * n for n in (1, 2, 5, 10) if power * n >= rough * (1 - 1e-9))
