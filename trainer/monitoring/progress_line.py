"""Progress line: epoch, step, loss, accuracy, speed and time left of a run.

Owns its wording, and which parts a narrow terminal does without.
"""

import dataclasses

from runtime import terminal
from runtime.terminal import Part


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


def parts(progress: Progress, *, num_replicas: int) -> list[Part]:
    """Return the parts of the line."""
    each = f" ({progress.images_per_s / num_replicas:,.0f} each)" if num_replicas > 1 else ""
    return [
        Part(f"epoch {progress.epoch:>2}/{progress.epochs}"),
        Part(f"  {terminal.bar(progress.step / progress.steps)}", rank=5),
        Part(f"  step {progress.step}/{progress.steps}", rank=3),
        Part(f"  loss {progress.loss:.3f}"),
        Part(f"  acc {progress.accuracy:.3f}", rank=1),
        Part(f"  {progress.images_per_s:,.0f} img/s", rank=2),
        Part(each, rank=8),
        Part(f"  input wait {100 * progress.input_wait_frac:.0f} %", rank=6),
        Part(f"  {progress.memory_bytes / 1e9:.1f} GB", rank=7),
        Part(f"  {terminal.clock(progress.left_s)} left"),
    ]
