"""Numbers as pages and tables of programs write them: three digits, whole percent."""

import math


def number(value: float) -> str:
    """Return a number with three digits after the point, and a dash for what is undefined."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def percent(share: float) -> str:
    """Return a share in whole percent; only none is 0 % and only all is 100 %."""
    if 0 < share < 0.005:
        return "<1%"
    if 0.995 <= share < 1:
        return ">99%"
    return f"{share:.0%}"
