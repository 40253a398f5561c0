"""The line that says how a run is doing.

Owns its wording and where it goes: rewritten in place on a terminal, once an epoch into a file or
pipe.
"""

import dataclasses
import sys
from typing import TextIO

_BAR = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
    """What the line shows; times in seconds."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    images_per_s: float
    input_wait_frac: float
    memory_bytes: int
    left_s: float


def line(at: Progress, *, num_replicas: int) -> str:
    """Return the line for a reading."""
    full = _BAR * at.step // at.steps
    each = f" ({at.images_per_s / num_replicas:,.0f} each)" if num_replicas > 1 else ""
    return (
        f"epoch {at.epoch:>2}/{at.epochs}  {'█' * full}{'░' * (_BAR - full)}  step {at.step}/{at.steps}  "
        f"loss {at.loss:.3f}  acc {at.accuracy:.3f}  {at.images_per_s:,.0f} img/s{each}  "
        f"input wait {100 * at.input_wait_frac:.0f} %  {at.memory_bytes / 1e9:.1f} GB  {clock(at.left_s)} left"
    )


def clock(seconds: float) -> str:
    """Return minutes:seconds, with hours where there are any."""
    minutes, secs = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


def show(text: str, *, final: bool, to: TextIO | None = None) -> None:
    """Show a line; one that is not final is replaced by the next, and left out where nobody
    watches."""
    out = to or sys.stdout
    if out.isatty():
        out.write(f"\r\x1b[K{text}" + "\n" * final)
    elif final:
        out.write(f"{text}\n")
    out.flush()
