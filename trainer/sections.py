"""The sections of the configuration about craft: how weights are found, what is done to pictures, how one is chosen.

Owns their fields; `config` puts all sections together. They are apart from it because a file of every knob was too
long to read.
"""

import dataclasses

from trainer import option
from trainer.option import field


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optimization(option.Checked):
    """The way down the loss."""

    optimizer: str = field("adam", "update rule", choices=("adam", "adamw", "sgd"))
    learning_rate: float = field(1e-3, "peak learning rate", at_least=0)
    momentum: float = field(0.9, "momentum (sgd)", at_least=0, at_most=0.999)
    nesterov: bool = field(False, "take the gradient's share of the momentum one step ahead (sgd)")
    weight_decay: float | None = field(
        None,
        "part of every kernel that a step takes away, times the learning rate; biases and scales are spared",
        at_least=0,
        at_most=10,
        default_text="0.05 with adamw, else 0",
    )
    schedule: str = field(
        "cosine",
        "fall of the learning rate after warm-up",
        choices=("cosine", "step", "exponential", "constant"),
    )
    warmup_epochs: float = field(1.0, "linear rise to the peak, before the fall", unit="epochs", at_least=0)
    decay_factor: float | None = field(
        None,
        "what the rate is multiplied by: at each of --decay_epochs (step), or over every epoch (exponential)",
        at_least=0,
        at_most=1,
        default_text="0.1 for step, 0.9 for exponential",
    )
    decay_epochs: tuple[float, ...] = field(
        (),
        "when the rate falls (step)",
        unit="epochs since the start",
        at_least=0,
        default_text="half and three quarters of the run",
    )
    clip_norm: float | None = field(
        None, "largest norm of the whole gradient, over all replicas", at_least=1e-6, default_text="no clipping"
    )
    sam_rho: float = field(
        0.0,
        "radius within which sharpness-aware minimisation looks for the worst loss; doubles the work, 0.05 is usual; "
        "0 is off",
        at_least=0,
        at_most=10,
    )
    ema_decay: float = field(
        0.0,
        "decay of the average of the weights over the steps, which is then what is judged and kept; 0.999 is usual; "
        "0 is off",
        at_least=0,
        at_most=0.999999,
    )
