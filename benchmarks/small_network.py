"""Small network: the settings of the benchmarks that train many runs of a few minutes each."""

from collections.abc import Mapping

SETTINGS: Mapping[str, object] = {
    "num_gpus": 0,
    "model": "resnet_small",
    "conv_filters": (32, 64, 128),
    "blocks_per_stage": 1,
    "stem_stride": 2,
    "color": "gray",
    "image_size": 32,
    "crop_px": 28,
    "batch_size": 64,
    "optimizer": "muon",
    "learning_rate": 0.04,
    "weight_decay": 0.02,
    "warmup_epochs": 1.0,
    "label_smoothing": 0.1,
    "ema_decay": 0.998,
    "augment": 0.5,
    "dropout": 0.1,
    "tta": "flip",
}
"""For FER2013 on two cores: a residual network of 32-64-128 filters on crops of 28 px."""


def as_flags(settings: Mapping[str, object]) -> list[str]:
    """Return settings as flags of trainer.main."""
    given = []
    for name, value in settings.items():
        if value is True:
            given.append(f"--{name}")
        else:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            given.append(f"--{name}={text}")
    return given
