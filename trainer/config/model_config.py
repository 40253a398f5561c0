"""The section of the configuration about the network.

Owns its fields and which of them go with which architecture; `config` puts all sections together.
"""

import dataclasses

from runtime import errors, fields
from runtime.fields import field

BACKBONES = (
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "efficientnet_v2_b0",
    "efficientnet_v2_b1",
    "efficientnet_v2_b2",
    "efficientnet_v2_b3",
    "efficientnet_v2_s",
    "resnet50",
    "convnext_tiny",
)
"""Architectures taken from keras.applications."""

AFFECT = ("valence", "arousal")
"""What --heads=expression+va adds to what is learned of a picture, -1 to 1 each."""

_OWN = ("model", ("cnn", "resnet_small"))
_WITH_BRANCHES = (
    "resnet_small",
    *(name for name in BACKBONES if name.startswith(("efficientnet", "convnext"))),
)
_INITIALIZERS = (
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "orthogonal",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model(fields.Checked):
    """The network."""

    model: str = field("cnn", "architecture", choices=("cnn", "resnet_small", *BACKBONES))
    color: str = field("rgb", "what the network sees of a picture", choices=("rgb", "gray"))
    conv_filters: tuple[int, ...] = field(
        (32, 64, 128),
        "filters of each convolution block, or of each stage of resnet_small",
        at_least=1,
        goes_with=_OWN,
    )
    blocks_per_stage: int = field(
        2, "residual blocks of each stage", at_least=1, goes_with=("model", ("resnet_small",))
    )
    dense_units: tuple[int, ...] = field(
        (128, 128), "units of each fully connected layer", at_least=1, goes_with=("model", ("cnn",))
    )
    dropout: float = field(
        0.25, "share of units dropped: after each block and layer of cnn, before the heads of others",
        at_least=0, at_most=0.95,
    )  # fmt: skip
    drop_path: float = field(
        0.0, "share of residual branches dropped in an example, rising from the first to this at the last",
        at_least=0, at_most=0.95, goes_with=("model", _WITH_BRANCHES),
    )  # fmt: skip
    activation: str = field("relu", "activation", choices=("relu", "tanh"), goes_with=_OWN)
    batch_norm: bool = field(
        False, "normalise before each activation, over the batch of all replicas and its real examples only",
        goes_with=("model", ("cnn",)),
    )  # fmt: skip
    initializer: str | None = field(
        None, "how the first weights are drawn", choices=_INITIALIZERS, goes_with=_OWN,
        default_text="glorot_uniform for cnn, he_normal for resnet_small",
    )  # fmt: skip
    heads: str = field(
        "expression",
        "what is learned of a picture: its expression, or also its valence and arousal",
        choices=("expression", "expression+va"),
    )
    va_weight: float = field(
        1.0, "weight of valence and arousal (1 - CCC + MSE) in what is minimised, beside 1 for the expression",
        at_least=0, goes_with=("heads", ("expression+va",)),
    )  # fmt: skip
    weights: str = field(
        "none",
        "file of weights to start from, for all but the heads: what keras.applications or Keras saved of the "
        "architecture (.h5, .weights.h5, .keras), or best.npz of an earlier run; nothing is downloaded",
        default_text="none: drawn at random",
    )
    freeze_epochs: int = field(
        0, "epochs at the start in which only the heads are trained; needs --weights", at_least=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.freeze_epochs and not self.is_pretrained:
            raise errors.UserError(
                f"--freeze_epochs={self.freeze_epochs} trains the heads on features that stay as they are, and those "
                f"of --weights=none are random: name a file of weights"
            )

    @property
    def is_pretrained(self) -> bool:
        """Whether training starts from a file of weights."""
        return self.weights != "none"

    @property
    def has_affect(self) -> bool:
        """Whether valence and arousal are learned."""
        return self.heads == "expression+va"
