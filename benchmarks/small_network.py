"""Small network: the settings of the benchmarks that train many runs of a few minutes each."""

import math
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence

from scipy import stats

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


def run(program: str, *given: str) -> None:
    """Run a program of ours; what is finished in its folder is kept."""
    done = subprocess.run(
        [sys.executable, "-m", program, *given], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{program} {' '.join(given)}: {done.stderr[-2000:]}")


def interval(values: Sequence[float], *, signed: bool = False, digits: int = 1) -> str:
    """Return the mean and the half width of its 95 % interval, by Student's t over the seeds."""
    mean = f"{statistics.mean(values):{'+' if signed else ''}.{digits}f}"
    if len(values) < 2:
        return mean
    quantile = stats.t.ppf(0.975, len(values) - 1)
    half = quantile * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean} ± {half:.{digits}f}"
