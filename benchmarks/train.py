"""Benchmark of training: the trainer beside Keras' `fit` and its own compiled step.

python -m benchmarks.train --data_dir=DATA_DIR --config_name=NAME runs every contender as a process
of its own, in turn, `--runs` times; only the last epoch counts, so compilation does not. With
--recipe it measures the network, image size, batch size and optimizer of recipes, without their
augmentation, at the size of their last epochs.
"""

import json
import statistics
import sys
from collections.abc import Sequence

from absl import flags

from benchmarks import command_line, measure
from trainer.config import recipes

DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "folder that holds affectnet_faces/", required=True
)
CONFIG_NAME = flags.DEFINE_string("config_name", None, "which build of the data set", required=True)
RECIPES = flags.DEFINE_list(
    "recipe",
    ["none"],
    "recipes to measure, which then set image size and batch size; none: the default CNN",
)
command_line.chosen(RECIPES, "none", *recipes.names())
IMAGE_SIZE = flags.DEFINE_integer("image_size", 48, "training size, in pixels")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 128, "images a step, over all devices")
VIRTUAL_DEVICES = flags.DEFINE_list("virtual_devices", ["1", "2", "4"], "logical CPU devices")
RUNS = flags.DEFINE_integer("runs", 3, "runs of each contender; the median is printed", 1)
CONTENDERS = flags.DEFINE_list(
    "contenders", ["ours", "ceiling", "fit"], "contenders; the others are compared with the first"
)
command_line.chosen(CONTENDERS, "ours", "ceiling", "fit")
TRAINER_FLAGS = flags.DEFINE_multi_string(
    "trainer_flag", [], "further flags of trainer.main, such as --jit=true"
)


WITHOUT_AUGMENTATION = (
    "--augment=0",
    "--rotation_degrees=0",
    "--scale_frac=0",
    "--shift_frac=0",
    "--tone_jitter=0",
    "--randaugment=0",
    "--erase_prob=0",
    "--mixup=0",
    "--cutmix=0",
    "--progressive_px=",
    "--progressive_epochs=0",
    "--tta=none",
)
"""What `fit` does not do either."""

EPOCHS = ("--epochs=2", "--warmup_epochs=0")


def run(contender: str, network: Sequence[str], devices: str) -> tuple[float, float, int]:
    """Run a contender once.

    Returns:
      images a second, fraction of the time spent waiting for input, peak memory in bytes.
    """
    given = [
        *network,
        f"--data_dir={DATA_DIR.value}",
        f"--config_name={CONFIG_NAME.value}",
        "--num_gpus=0",
        f"--virtual_devices={devices}",
        *EPOCHS,
        *WITHOUT_AUGMENTATION,
    ]
    command = [
        sys.executable,
        "-m",
        "benchmarks.train_peers",
        contender,
        *given,
        *TRAINER_FLAGS.value,
    ]
    measured = measure.run(command)
    result = json.loads(measured.output.splitlines()[-1])
    return result["images_per_s"], result["input_wait_frac"], measured.peak_bytes


def networks() -> dict[str, list[str]]:
    """Return what is measured: its name, and the flags that set it."""
    found = {}
    for name in RECIPES.value:
        if name == "none":
            size = [f"--image_size={IMAGE_SIZE.value}", f"--batch_size={BATCH_SIZE.value}"]
            found[f"{IMAGE_SIZE.value} px, batches of {BATCH_SIZE.value}"] = size
        else:
            found[name] = [f"--recipe={name}"]
    return found


def main(argv: Sequence[str]) -> None:
    """Measure, and print a table for each network."""
    for name, network in networks().items():
        print(f"{name}, median of {RUNS.value}; {measure.machine()}")
        compared = f"{CONTENDERS.value[0]} is"
        print(
            f"{'devices':>7}  {'contender':<10}{'images/s':>10}{'input wait':>12}{'peak MB':>9}"
            f"{compared:>11}"
        )
        for devices in VIRTUAL_DEVICES.value:
            print_rows(network, devices)


def print_rows(network: Sequence[str], devices: str) -> None:
    """Measure every contender on so many devices, in turn, and print a row of each."""
    results: dict[str, list[tuple[float, float, int]]] = {name: [] for name in CONTENDERS.value}
    for _ in range(RUNS.value):
        for name, runs in results.items():
            runs.append(run(name, network, devices))
    first = statistics.median(rate for rate, _, _ in results[CONTENDERS.value[0]])
    for name, runs in results.items():
        rate, wait, peak = (statistics.median(column) for column in zip(*runs, strict=True))
        wait_text = f"{wait:.1%}" if name == "ours" else ""
        print(
            f"{devices:>7}  {name:<10}{rate:>10,.0f}{wait_text:>12}{peak / 1e6:>9,.0f}"
            f"{first / rate:>10.2f}x",
            flush=True,
        )


if __name__ == "__main__":
    command_line.run(main)
