"""Configuration section of the network: architecture, layers, heads and initial weights.

Owns its fields and which of them go with which architecture; `run_config` combines all sections.
"""

import dataclasses

from runtime import errors, fields
from runtime.fields import field

ARCHITECTURES = ("cnn", "resnet_small")
"""Architectures of our own: each is the module of that name in trainer/models."""

BACKBONES = (
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "efficientnet_lite0",
    "efficientnet_v2_b0",
    "efficientnet_v2_b1",
    "efficientnet_v2_b2",
    "efficientnet_v2_b3",
    "efficientnet_v2_s",
    "resnet50",
    "convnext_tiny",
)
"""Architectures of keras.applications, or built as it builds them."""

IMAGENET = "imagenet"
"""--weights of the one architecture whose ImageNet weights an installed package carries."""

AFFECT = ("valence", "arousal")
"""Outputs that --heads=expression+va adds, each in -1..1."""

_OWN = ("model", ARCHITECTURES)
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
    """Network architecture, heads and initial weights."""

    model: str = field("cnn", "architecture", choices=(*ARCHITECTURES, *BACKBONES))
    color: str = field(
        "rgb",
        "colour of the images that the network is given; gray is computed within the network",
        choices=("rgb", "gray"),
    )
    conv_filters: tuple[int, ...] = field(
        (32, 64, 128),
        "filters of each convolution block (cnn) or of each stage (resnet_small)",
        at_least=1,
        goes_with=_OWN,
    )
    convs_per_block: int = field(
        1,
        "3x3 convolutions per block, before its pooling",
        at_least=1,
        at_most=8,
        goes_with=("model", ("cnn",)),
    )
    pooling: str = field(
        "flatten",
        "what the fully connected layers are given: every place of the last feature maps "
        "(flatten), or their means (mean), which takes fewer weights",
        choices=("flatten", "mean"),
        goes_with=("model", ("cnn",)),
    )
    blocks_per_stage: int = field(
        2, "residual blocks per stage", at_least=1, goes_with=("model", ("resnet_small",))
    )
    stem_stride: int | None = field(
        None,
        "stride of the first convolution: 2 quarters the multiply-adds of all that follows, for "
        "networks that have to be quick on a CPU",
        at_least=1,
        at_most=4,
        goes_with=("model", ("resnet_small",)),
        default_text="1, or 2 where images have more than 64 px",
    )
    dense_units: tuple[int, ...] = field(
        (128, 128), "units of each fully connected layer", at_least=1, goes_with=("model", ("cnn",))
    )
    dropout: float = field(
        0.25,
        "dropout rate: after each block and dense layer of cnn, before the heads of the other "
        "architectures",
        at_least=0,
        at_most=0.95,
    )
    drop_path: float = field(
        0.0,
        "stochastic depth: probability that the last residual branch of an example is dropped, "
        "rising linearly from the first branch",
        at_least=0,
        at_most=0.95,
        goes_with=("model", _WITH_BRANCHES),
    )
    activation: str = field("relu", "activation function", choices=("relu", "tanh"), goes_with=_OWN)
    batch_norm: bool = field(
        False,
        "batch normalisation before each activation, with statistics over the real examples of "
        "all replicas",
        goes_with=("model", ("cnn",)),
    )
    channel_attention: str = field(
        "none",
        "weights of the feature maps at the end of each block, computed from all of them: "
        "squeeze-and-excitation (se) or efficient channel attention (eca)",
        choices=("none", "se", "eca"),
        goes_with=_OWN,
    )
    initializer: str | None = field(
        None,
        "initializer of the weights",
        choices=_INITIALIZERS,
        goes_with=_OWN,
        default_text="glorot_uniform for cnn, he_normal for resnet_small",
    )
    heads: str = field(
        "expression",
        "outputs of the network: expression only, or expression with valence and arousal",
        choices=("expression", "expression+va"),
    )
    va_weight: float = field(
        1.0,
        "weight of the valence and arousal loss (1 - CCC + MSE) in the training objective, beside "
        "1 for the expression",
        at_least=0,
        goes_with=("heads", ("expression+va",)),
    )
    weights: str = field(
        "none",
        "file of pretrained weights, loaded into all layers but the heads: weights of the "
        "architecture saved by keras.applications or Keras (.h5, .weights.h5, .keras), or "
        "best.npz of an earlier run; imagenet with --model=efficientnet_lite0, from a package that "
        "carries these (the extra pretrained); nothing is downloaded",
        path="file",
        words=("none", IMAGENET),
        default_text="none: random initial weights",
    )
    freeze_epochs: int = field(
        0,
        "epochs at the start in which only the heads are trained; needs --weights",
        at_least=0,
    )
    first_layer_lr_frac: float = field(
        1.0,
        "learning rate of the first layer, as a share of the heads', to which it rises "
        "geometrically over the layers; 0.1 is usual; needs --weights",
        at_least=1e-4,
        at_most=1,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model in ARCHITECTURES and not self.conv_filters:
            raise errors.UserError(
                f"--conv_filters must have a number for each block of --model={self.model}: got "
                "nothing; the default is 32,64,128"
            )
        if self.weights == IMAGENET and self.model != "efficientnet_lite0":
            raise errors.UserError(
                f"--weights={IMAGENET} is for --model=efficientnet_lite0: got {self.model}; "
                "give --weights=FILE"
            )
        if self.freeze_epochs and not self.is_pretrained:
            raise errors.UserError(
                f"--freeze_epochs={self.freeze_epochs} needs pretrained weights: with "
                f"--weights=none the frozen layers would stay random; give --weights=FILE"
            )
        if self.first_layer_lr_frac != 1 and not self.is_pretrained:
            raise errors.UserError(
                f"--first_layer_lr_frac={self.first_layer_lr_frac:g} needs pretrained weights: "
                "with --weights=none the first layers have most to learn; give --weights=FILE"
            )

    @property
    def is_pretrained(self) -> bool:
        """Whether training starts from a file of weights."""
        return self.weights != "none"

    @property
    def has_affect(self) -> bool:
        """Whether the network also predicts valence and arousal."""
        return self.heads == "expression+va"
