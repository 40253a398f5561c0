"""Configuration sections of training: optimization, augmentation, imbalance, targets, selection.

Owns their fields; `run_config` combines all sections. One file with every option was rejected: it
was too long to read.
"""

import dataclasses

from runtime import errors, fields
from runtime.fields import field

_SGD = ("optimizer", ("sgd",))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optimization(fields.Checked):
    """Optimizer, learning-rate schedule and weight averaging."""

    optimizer: str = field("adam", "optimizer", choices=("adam", "adamw", "muon", "sgd"))
    learning_rate: float = field(1e-3, "peak learning rate", at_least=0)
    momentum: float = field(
        0.9,
        "momentum of stochastic gradient descent, and of Muon",
        at_least=0,
        at_most=0.999,
        goes_with=("optimizer", ("muon", "sgd")),
    )
    nesterov: bool = field(False, "use Nesterov momentum", goes_with=_SGD)
    weight_decay: float | None = field(
        None,
        "decoupled weight decay, multiplied by the learning rate; not applied to biases and "
        "normalisation parameters",
        at_least=0,
        at_most=10,
        default_text="0.05 with adamw, else 0",
        goes_with=("optimizer", ("adamw", "muon", "sgd")),
    )
    schedule: str = field(
        "cosine",
        "learning-rate decay after the warm-up",
        choices=("cosine", "step", "exponential", "plateau", "constant"),
    )
    warmup_epochs: float = field(
        1.0, "linear warm-up of the learning rate to its peak", unit="epochs", at_least=0
    )
    decay_factor: float | None = field(
        None,
        "factor of the learning-rate decay: applied at each of --decay_epochs (step), once per "
        "epoch (exponential), or after each --plateau_epochs without a better epoch (plateau)",
        at_least=0,
        at_most=1,
        default_text="0.1 for step and plateau, 0.9 for exponential",
        goes_with=("schedule", ("step", "exponential", "plateau")),
    )
    decay_epochs: tuple[float, ...] = field(
        (),
        "when the learning rate is multiplied by --decay_factor",
        unit="epochs since the start",
        at_least=0,
        default_text="half and three quarters of the run",
        goes_with=("schedule", ("step",)),
    )
    plateau_epochs: int = field(
        5,
        "how long no epoch is better, by --select_by, before the learning rate is multiplied by "
        "--decay_factor",
        unit="epochs",
        at_least=1,
        goes_with=("schedule", ("plateau",)),
    )
    cycle_epochs: float | None = field(
        None,
        "warm restarts: length of the first cosine cycle, after which the learning rate is back at "
        "its peak",
        unit="epochs",
        at_least=0.01,
        default_text="one cycle, to the end of the run",
        goes_with=("schedule", ("cosine",)),
    )
    cycle_factor: float = field(
        1.0,
        "length of each further cosine cycle, as a multiple of the one before; needs "
        "--cycle_epochs",
        at_least=1,
        at_most=10,
        goes_with=("schedule", ("cosine",)),
    )
    min_learning_rate: float = field(
        0.0, "lowest learning rate that the decay leads to", at_least=0
    )
    clip_norm: float | None = field(
        None,
        "clip the gradient of the whole batch, over all replicas, to this global norm",
        at_least=1e-6,
        default_text="no clipping",
    )
    sam_rho: float = field(
        0.0,
        "neighbourhood radius (rho) of sharpness-aware minimisation, which doubles the cost of a "
        "step; 0.05 is usual, 0 is off",
        at_least=0,
        at_most=10,
    )
    ema_decay: float = field(
        0.0,
        "decay of the exponential moving average of the weights, which is then what is evaluated "
        "and saved; 0.999 is usual, 0 is off",
        at_least=0,
        at_most=0.999999,
    )
    swa_epochs: float = field(
        0.0,
        "stochastic weight averaging: the mean of the weights after each step of the last epochs "
        "is what is evaluated and saved; 0 is off",
        unit="epochs",
        at_least=0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min_learning_rate > self.learning_rate:
            raise errors.UserError(
                f"--min_learning_rate must be at most --learning_rate={self.learning_rate:g}: got "
                f"{self.min_learning_rate:g}"
            )
        if self.cycle_factor != 1 and self.cycle_epochs is None:
            raise errors.UserError(
                f"--cycle_factor={self.cycle_factor:g} lengthens cycles: give the length of the "
                "first (--cycle_epochs)"
            )
        if self.ema_decay and self.swa_epochs:
            raise errors.UserError(
                "--ema_decay and --swa_epochs are two averages of the weights: give one of them"
            )

    @property
    def depends_on_epochs(self) -> bool:
        """Whether the weights after a step depend on the number of epochs of the run."""
        return bool(
            (self.schedule == "cosine" and self.cycle_epochs is None)
            or (self.schedule == "step" and not self.decay_epochs)
            or self.swa_epochs
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation(fields.Checked):
    """Random augmentation of training images, on the device."""

    augment: float = field(
        1.0,
        "strength of random rotation, translation, scaling, brightness and contrast; 0 turns these "
        "and the horizontal flip off, 1 suits faces",
        at_least=0,
        at_most=3,
    )
    flip: bool = field(
        True, "flip half of the images horizontally, at random, where --augment is above 0"
    )
    rotation_degrees: float | None = field(
        None,
        "largest random rotation, either way, where --augment is above 0",
        unit="degrees",
        at_least=0,
        at_most=180,
        default_text="10 times --augment",
    )
    scale_frac: float | None = field(
        None,
        "largest random enlargement or reduction, where --augment is above 0: 0.2 is 0.8 to 1.2 "
        "times the size",
        at_least=0,
        at_most=0.9,
        default_text="0.08 times --augment",
    )
    shift_frac: float | None = field(
        None,
        "largest random translation in each direction, where --augment is above 0, as a fraction "
        "of the image's side",
        at_least=0,
        at_most=1,
        default_text="0.06 times --augment",
    )
    color_jitter: float = field(
        0.0,
        "strength of random changes of saturation and hue, where --augment is above 0",
        at_least=0,
        at_most=3,
    )
    tone_jitter: float = field(
        0.0,
        "strength of random changes of gamma and local contrast, which standardisation of an image "
        "does not undo as it does those of brightness and contrast; 1 suits faces",
        at_least=0,
        at_most=3,
    )
    randaugment: int = field(
        0,
        "RandAugment: apply this many transformations to each image, chosen at random out of ten "
        "(rotation, scaling, translation in x and y, shear, gamma, local contrast, sharpness, and "
        "in colour saturation and hue), at the full strength of --augment",
        at_least=0,
        at_most=10,
        default_text="0: rotation, scaling, translation, brightness and contrast of every image, "
        "at random strengths",
    )
    erase_prob: float = field(
        0.0,
        "probability of random erasing: a random rectangle of the image is filled with its mean "
        "colour",
        at_least=0,
        at_most=1,
    )
    mixup: float = field(
        0.0,
        "alpha of mixup, which blends pairs of images and their labels; 0.2 is usual, 0 is off",
        at_least=0,
        at_most=10,
    )
    cutmix: float = field(
        0.0,
        "alpha of CutMix, which swaps a patch between pairs of images and blends their labels; 1 "
        "is usual, 0 is off; together with --mixup, either is applied with probability one half",
        at_least=0,
        at_most=10,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("rotation_degrees", "scale_frac", "shift_frac", "tone_jitter"):
            if getattr(self, name) and not self.augment:
                raise errors.UserError(
                    f"--{name}={getattr(self, name):g} has no effect with --augment=0: give "
                    "--augment a strength, such as 1"
                )

    @property
    def is_mixing(self) -> bool:
        """Whether pairs of images are mixed."""
        return bool(self.mixup or self.cutmix)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Targets(fields.Checked):
    """What is learnt of an image: its label, a soft target beside it, less of a doubted label."""

    targets: str = field(
        "label",
        "what the network learns of an image: its label alone, or also its soft label, which data "
        "from AffectNet+ and the votes of FER+ have",
        choices=("label", "soft"),
    )
    teacher: str | None = field(
        None,
        "knowledge distillation: CSV with the probabilities that another model gives the training "
        "images, which are learnt beside the labels (predictions.csv of trainer.evaluate "
        "--split=train)",
        path="file",
    )
    soft_weight: float = field(
        0.5,
        "share of the soft targets in the loss; the rest is the labels'",
        at_least=0.001,
        at_most=1,
    )
    temperature: float = field(
        1.0,
        "temperature of the soft targets: above 1 the less likely classes count for more",
        at_least=0.1,
        at_most=100,
    )
    suspects: str | None = field(
        None,
        "CSV of images whose labels are doubted (suspects.csv of trainer.audit), whose labels "
        "weigh --suspect_weight in the loss",
        path="file",
    )
    suspect_weight: float = field(
        0.0,
        "weight of a doubted label in the loss, where others have 1; 0 learns nothing of it; needs "
        "--suspects",
        at_least=0,
        at_most=1,
    )

    @property
    def is_soft(self) -> bool:
        """Whether anything but labels is learnt."""
        return self.targets == "soft" or self.teacher is not None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.targets == "soft" and self.teacher is not None:
            raise errors.UserError(
                "--targets=soft learns the soft labels of the data, and --teacher those of a "
                "model: give one of them"
            )
        if self.suspect_weight and self.suspects is None:
            raise errors.UserError(
                f"--suspect_weight={self.suspect_weight:g} has no effect without --suspects: name "
                "the list of doubted labels"
            )
        for option in dataclasses.fields(self):
            value = getattr(self, option.name)
            is_of_soft = option.name not in ("suspects", "suspect_weight")
            if value != option.default and is_of_soft and not self.is_soft:
                raise errors.UserError(
                    f"--{option.name}={value} has no effect without soft targets: it needs "
                    "--targets=soft or --teacher"
                )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Selection(fields.Checked):
    """Selection of the best epoch, and early stopping."""

    holdout_frac: float = field(
        0.0,
        "fraction of the training images held out to select the epoch on, so that validation is "
        "evaluated once, at the end; 0 selects on validation itself",
        at_least=0,
        at_most=0.5,
    )
    select_by: str = field(
        "accuracy",
        "metric by which the best epoch is selected: the highest, of loss the lowest",
        choices=("accuracy", "balanced_accuracy", "macro_f1", "m_measure", "loss"),
    )
    patience: int | None = field(
        None,
        "early stopping: stop after this many epochs without improvement",
        unit="epochs",
        at_least=1,
        default_text="train all",
    )
    tta: str = field(
        "none",
        "test-time augmentation: average the probabilities of the image and its mirror image "
        "(flip), or of the middle and the four corners of --crop_px and their mirror images "
        "(ten_crop), wherever the model is used: evaluation, prediction, exports; of ten crops, "
        "the middle and its mirror image choose the epoch",
        choices=("none", "flip", "ten_crop"),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training(fields.Checked):
    """Epochs, batch size, precision and seed."""

    epochs: int = field(20, "passes over the training split", at_least=1)
    batch_size: int = field(
        128, "global batch size: images per step, over all replicas", at_least=1
    )
    progressive_px: tuple[int, ...] = field(
        (),
        "progressive resizing: sides to which images are resized in equal parts of the first "
        "--progressive_epochs epochs, whose steps then take less time; not with "
        "--pooling=flatten or keras.applications' architectures",
        at_least=8,
        default_text="all epochs on whole images",
    )
    progressive_epochs: int = field(
        0, "epochs that --progressive_px is for, at the start", at_least=0
    )
    accumulate_steps: int = field(
        1,
        "gradient accumulation: number of microbatches in which a step's batch is processed, one "
        "after the other, to use less memory; the batch of a step stays batch_size (batch "
        "normalisation and the concordance of valence and arousal are those of a microbatch)",
        at_least=1,
        at_most=64,
    )
    precision: str = field(
        "float32",
        "number format in which layers compute in training; weights, logits and losses stay "
        "float32, float16 uses dynamic loss scaling, and the trained network is evaluated, used "
        "and exported in float32",
        choices=("float32", "bfloat16", "float16"),
    )
    jit: bool = field(
        False,
        "compile the forward and backward pass with XLA: meant for GPUs; "
        "slower on CPUs; not possible with batch normalisation",
    )
    l2: float = field(
        0.0,
        "L2 regularisation: weight of the sum of squared weights in the training objective; not "
        "applied to biases and normalisation parameters",
        at_least=0,
    )
    seed: int = field(
        0,
        "random seed of initial weights, example order, dropout and augmentation",
        at_least=0,
        at_most=2**31 - 1,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        sides, epochs = self.progressive_px, self.progressive_epochs
        if bool(sides) != bool(epochs):
            raise errors.UserError(
                "--progressive_px and --progressive_epochs need each other, as in "
                "--progressive_px=24,32 --progressive_epochs=10: got "
                f"--progressive_px={','.join(map(str, sides))} --progressive_epochs={epochs}"
            )
        if epochs < len(sides) or epochs > self.epochs:
            raise errors.UserError(
                f"--progressive_epochs must be from {len(sides)}, one for each side of "
                f"--progressive_px, to the {self.epochs} of --epochs: got {epochs}"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Imbalance(fields.Checked):
    """Class imbalance: sampling, class weights and loss."""

    sampling: str = field(
        "natural",
        "class frequencies in an epoch: as in the data, equal for all classes, or proportional to "
        "the square root of the class counts",
        choices=("natural", "balanced", "sqrt"),
    )
    class_weights: str = field(
        "none",
        "per-class loss weights, from class frequency: its inverse, the inverse of its square "
        "root, or the effective number of samples",
        choices=("none", "inverse", "sqrt", "effective"),
    )
    effective_beta: float = field(
        0.999,
        "beta of the effective number of samples",
        at_least=0,
        at_most=0.999999,
        goes_with=("class_weights", ("effective",)),
    )
    loss: str = field(
        "cross_entropy",
        "loss function of the expression",
        choices=(
            "cross_entropy",
            "focal",
            "logit_adjusted",
            "generalized_cross_entropy",
            "symmetric_cross_entropy",
            "early_learning",
        ),
    )
    gce_q: float = field(
        0.7,
        "exponent q of generalised cross entropy: towards 0 it is cross entropy, 1 is the mean "
        "absolute error, which tolerates most wrong labels and learns slowest",
        at_least=0.01,
        at_most=1,
        goes_with=("loss", ("generalized_cross_entropy",)),
    )
    sce_alpha: float = field(
        0.1,
        "weight of cross entropy in symmetric cross entropy",
        at_least=0,
        at_most=100,
        goes_with=("loss", ("symmetric_cross_entropy",)),
    )
    sce_beta: float = field(
        1.0,
        "weight of reverse cross entropy in symmetric cross entropy: larger values tolerate more "
        "wrong labels",
        at_least=0,
        at_most=100,
        goes_with=("loss", ("symmetric_cross_entropy",)),
    )
    elr_weight: float = field(
        3.0,
        "weight of early-learning regularisation, which is added to cross entropy",
        at_least=0,
        at_most=100,
        goes_with=("loss", ("early_learning",)),
    )
    elr_beta: float = field(
        0.7,
        "share that an image's running prediction keeps when it is trained on again, in "
        "early-learning regularisation",
        at_least=0,
        at_most=0.999,
        goes_with=("loss", ("early_learning",)),
    )
    focal_gamma: float = field(
        2.0,
        "focusing parameter gamma of the focal loss: larger values give easy examples less weight",
        at_least=0,
        at_most=10,
        goes_with=("loss", ("focal",)),
    )
    tau: float = field(
        1.0,
        "strength of the logit adjustment by class priors",
        at_least=0,
        goes_with=("loss", ("logit_adjusted",)),
    )
    label_smoothing: float = field(
        0.0,
        "label smoothing: share of the target spread evenly over all classes",
        at_least=0,
        at_most=0.9,
    )
