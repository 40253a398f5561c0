"""The sections of the configuration about craft: how weights are found, what is done to pictures,
how one is chosen.

Owns their fields; `config` puts all sections together. They are apart from it because a file of
every knob was too long to read.
"""

import dataclasses

from runtime import fields
from runtime.fields import field

_SGD = ("optimizer", ("sgd",))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optimization(fields.Checked):
    """The way down the loss."""

    optimizer: str = field("adam", "update rule", choices=("adam", "adamw", "sgd"))
    learning_rate: float = field(1e-3, "peak learning rate", at_least=0)
    momentum: float = field(0.9, "momentum", at_least=0, at_most=0.999, goes_with=_SGD)
    nesterov: bool = field(
        False, "take the gradient's share of the momentum one step ahead", goes_with=_SGD
    )
    weight_decay: float | None = field(
        None,
        "part of every kernel that a step takes away, times the learning rate; biases and scales are spared",
        at_least=0,
        at_most=10,
        default_text="0.05 with adamw, else 0",
        goes_with=("optimizer", ("adamw", "sgd")),
    )
    schedule: str = field(
        "cosine",
        "fall of the learning rate after warm-up",
        choices=("cosine", "step", "exponential", "constant"),
    )
    warmup_epochs: float = field(
        1.0, "linear rise to the peak, before the fall", unit="epochs", at_least=0
    )
    decay_factor: float | None = field(
        None,
        "what the rate is multiplied by: at each of --decay_epochs, or over every epoch (exponential)",
        at_least=0,
        at_most=1,
        default_text="0.1 for step, 0.9 for exponential",
        goes_with=("schedule", ("step", "exponential")),
    )
    decay_epochs: tuple[float, ...] = field(
        (),
        "when the rate falls",
        unit="epochs since the start",
        at_least=0,
        default_text="half and three quarters of the run",
        goes_with=("schedule", ("step",)),
    )
    clip_norm: float | None = field(
        None,
        "largest norm of the whole gradient, over all replicas",
        at_least=1e-6,
        default_text="no clipping",
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation(fields.Checked):
    """What is done to pictures at random while training, on the device."""

    augment: float = field(
        1.0,
        "strength of random turns, shifts, scalings and light, and whether pictures are mirrored; 0 is none, 1 suits "
        "faces",
        at_least=0,
        at_most=3,
    )
    flip: bool = field(True, "mirror every second picture, where --augment is above 0")
    color_jitter: float = field(0.0, "strength of random saturation and hue", at_least=0, at_most=3)
    randaugment: int = field(
        0,
        "give each picture this many kinds of change, drawn out of ten (with shear and sharpness), at the full "
        "strength of --augment; 0 is a little of all usual kinds",
        at_least=0,
        at_most=10,
    )
    erase_prob: float = field(
        0.0,
        "share of the pictures of which a random rectangle is blotted out",
        at_least=0,
        at_most=1,
    )
    mixup: float = field(
        0.0, "alpha of mixup, by which pictures and labels are mixed in pairs; 0.2 is usual, 0 is off",
        at_least=0, at_most=10,
    )  # fmt: skip
    cutmix: float = field(
        0.0, "alpha of cutmix, by which patches are swapped in pairs; 1 is usual, 0 is off; with --mixup, one of the "
        "two by the toss of a coin", at_least=0, at_most=10,
    )  # fmt: skip

    @property
    def is_mixing(self) -> bool:
        return bool(self.mixup or self.cutmix)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Selection(fields.Checked):
    """Which epoch's weights are kept, and when to give up."""

    holdout_frac: float = field(
        0.0,
        "share of the training pictures held out to choose the epoch by, so that validation is looked at once, at the "
        "end; 0 chooses on validation itself",
        at_least=0,
        at_most=0.5,
    )
    select_by: str = field(
        "accuracy",
        "number by which the best epoch is chosen",
        choices=("accuracy", "balanced_accuracy", "macro_f1"),
    )
    patience: int | None = field(
        None,
        "stop after this many epochs without a better one",
        unit="epochs",
        at_least=1,
        default_text="train all",
    )
    tta_flip: bool = field(
        False, "judge by the mean of the probabilities of a picture and of its mirror image"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training(fields.Checked):
    """What a step is, and how many there are."""

    epochs: int = field(20, "passes over the training split", at_least=1)
    batch_size: int = field(128, "pictures in a step, over all replicas together", at_least=1)
    accumulate_steps: int = field(
        1,
        "parts that a step's batch is worked through in, one after the other, to need less memory; the step stays one "
        "step over all of batch_size (batch normalisation sees a part at a time)",
        at_least=1,
        at_most=64,
    )
    precision: str = field(
        "float32",
        "what layers compute in; weights, logits and losses stay float32, and float16 scales the loss",
        choices=("float32", "bfloat16", "float16"),
    )
    jit: bool = field(
        False,
        "compile forward and backward pass with XLA: often faster on GPUs; not with batch normalisation over several "
        "replicas",
    )
    l2: float = field(
        0.0,
        "weight of the sum of squared weights (not of biases and scales) in what is minimised",
        at_least=0,
    )
    seed: int = field(
        0, "seed of weights, order, dropout and augmentation", at_least=0, at_most=2**31 - 1
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Imbalance(fields.Checked):
    """What is done about classes of unequal size."""

    sampling: str = field(
        "natural",
        "how often each class is drawn in an epoch: as it is, all equally, or by the root of its count",
        choices=("natural", "balanced", "sqrt"),
    )
    class_weights: str = field(
        "none",
        "what an example weighs in the loss, by the number of its class",
        choices=("none", "inverse", "sqrt", "effective"),
    )
    effective_beta: float = field(
        0.999,
        "beta of the effective number",
        at_least=0,
        at_most=0.999999,
        goes_with=("class_weights", ("effective",)),
    )
    loss: str = field(
        "cross_entropy", "what is minimised", choices=("cross_entropy", "focal", "logit_adjusted")
    )
    focal_gamma: float = field(
        2.0,
        "gamma: how little easy examples count",
        at_least=0,
        at_most=10,
        goes_with=("loss", ("focal",)),
    )
    tau: float = field(
        1.0,
        "how far the classes' shares are corrected for",
        at_least=0,
        goes_with=("loss", ("logit_adjusted",)),
    )
    label_smoothing: float = field(
        0.0, "part of the target that is spread over all classes", at_least=0, at_most=0.9
    )
