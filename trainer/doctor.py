"""Doctor program: python -m trainer.doctor says what is wrong with an installation or a machine.

Owns the order of the checks and their output. It starts without TensorFlow, and imports it in
another process only: what it is asked about may end a process.
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterator

from affectnet_tfds import dataset_paths
from runtime import fields, flags
from trainer.config import run_config
from trainer.data import dataset_version
from trainer.diagnosis import check, data_checks, gpu_checks, package_checks, system_checks
from trainer.distributed import nvidia, tensorflow_build

ABOUT = """Check Python, packages, TensorFlow, CUDA, GPUs, disks and data; say what mends a fault.

  python -m trainer.doctor
  python -m trainer.doctor --json      for a bug report

Each line is good, doubtful or bad; the exit code is that of the worst: 0, 1 or 2."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Doctor(fields.Checked):
    """Flags of trainer.doctor."""

    data_dir: str | None = fields.field(
        None,
        f"folder that contains {dataset_paths.DATASET_NAME}/",
        default_text=dataset_paths.DATA_DIR_TEXT,
        path="folder",
    )
    json: bool = fields.field(False, "print JSON: one object with all checks")


SECTIONS: dict[str, type] = {"Doctor": Doctor}


def main() -> int:
    """Make all checks, print each as it is made, and return the worst level."""
    asked = Doctor(**flags.given(SECTIONS))
    data_dir = dataset_version.data_dir(run_config.Data(data_dir=asked.data_dir))
    made = []
    for each in checks(data_dir):
        made.append(each)
        if not asked.json:
            print(each.lines(), flush=True)
    worst = check.worst(made)
    if asked.json:
        listed = [each.as_json() for each in made]
        print(json.dumps({"worst": worst.name.lower(), "checks": listed}, indent=2))
    return int(worst)


def checks(data_dir: pathlib.Path) -> Iterator[check.Check]:
    """Yield all checks: from Python over the GPUs to the data."""
    yield from package_checks.checks()
    machine = nvidia.probe()
    build = tensorflow_build.installed()
    yield from gpu_checks.checks(machine, build=build)
    num_gpus = 0
    if build is not None:
        probed = gpu_checks.run_probe()
        num_gpus = probed.num_gpus
        wants_gpu = bool(machine.devices) and not machine.is_hidden
        yield from gpu_checks.computed(probed, has_device=wants_gpu)
    yield from system_checks.checks(data_dir=data_dir, num_gpus=num_gpus)
    yield from data_checks.checks(data_dir)


if __name__ == "__main__":
    flags.define(SECTIONS)
    flags.run(main, sections=SECTIONS, about=ABOUT)
