"""Progress line: epoch, step, loss, accuracy, speed and time left of a run.

Owns its wording and where it goes: rewritten in place on a terminal, once an epoch into a file or
pipe.
"""

import dataclasses
import sys
from typing import TextIO

_BAR = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
    """Numbers of the progress line; times in seconds."""

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


def line(progress: Progress, *, num_replicas: int) -> str:
    """Return the text of the line."""
    full = _BAR * progress.step // progress.steps
    bar = "█" * full + "░" * (_BAR - full)
    speed = f"{progress.images_per_s:,.0f} img/s"
    if num_replicas > 1:
        speed += f" ({progress.images_per_s / num_replicas:,.0f} each)"
    return (
        f"epoch {progress.epoch:>2}/{progress.epochs}  {bar}  "
        f"step {progress.step}/{progress.steps}  "
        f"loss {progress.loss:.3f}  acc {progress.accuracy:.3f}  {speed}  "
        f"input wait {100 * progress.input_wait_frac:.0f} %  "
        f"{progress.memory_bytes / 1e9:.1f} GB  {clock(progress.left_s)} left"
    )


def clock(seconds: float) -> str:
    """Return minutes:seconds, or hours:minutes:seconds from an hour on."""
    minutes, secs = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{secs:02d}"
    return f"{minutes}:{secs:02d}"


def show(text: str, *, final: bool, to: TextIO | None = None) -> None:
    """Print a line.

    One that is not final is replaced by the next on a terminal, and not printed elsewhere.
    """
    out = to or sys.stdout
    if out.isatty():
        out.write(f"\r\x1b[K{text}" + "\n" * final)
    elif final:
        out.write(f"{text}\n")
    out.flush()
