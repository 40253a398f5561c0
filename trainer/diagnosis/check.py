"""Check: one line of trainer.doctor, with its level and what to do about it."""

import dataclasses
import enum
from typing import Any


class Level(enum.IntEnum):
    """How a check ended; the worst of all is the program's exit code."""

    GOOD = 0
    DOUBTFUL = 1
    BAD = 2


@dataclasses.dataclass(frozen=True)
class Check:
    """What was looked at and found, how good that is, and what to do otherwise."""

    name: str
    level: Level
    finding: str
    advice: str = ""

    def lines(self) -> str:
        """Return the printed line, and one below it with the advice."""
        line = f"{self.name:<14}{self.level.name.lower():<10}{self.finding}"
        return f"{line}\n{'':<24}{self.advice}" if self.advice else line

    def as_json(self) -> dict[str, Any]:
        """Return the fields, with the level as a word."""
        return {**dataclasses.asdict(self), "level": self.level.name.lower()}


def good(name: str, finding: str) -> Check:
    """Return a check that needs no advice."""
    return Check(name, Level.GOOD, finding)


def worst(checks: list[Check]) -> Level:
    """Return the worst level of several checks."""
    return max((check.level for check in checks), default=Level.GOOD)
