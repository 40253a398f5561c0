"""GPU checks: device, driver, CUDA libraries, and what TensorFlow computes on each device.

Owns the order, from the hardware up: each fault hides those behind it.
"""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from trainer.diagnosis.check import Check, Level, good
from trainer.distributed import gpu_faults, nvidia, tensorflow_build

_TIMEOUT_S = 300.0
_CLEAR_GAIN = 1.5
"""Speed of bfloat16 against float32 from which it is advised; it is slower without hardware."""
_BFLOAT16 = "train with --precision=bfloat16: faster"
_EXCEPT_ON_A_CPU = " (depthwise convolutions on a CPU are not)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Probed:
    """What the probe printed, and how it ended."""

    lines: list[dict[str, Any]]
    end: str
    """Why it ended before its end; empty: it did not."""
    warnings: tuple[str, ...] = ()
    """What TensorFlow says about GPUs that it does not use."""

    @property
    def num_gpus(self) -> int:
        """Number of GPUs that TensorFlow lists."""
        return next((line["gpus"] for line in self.lines if line["kind"] == "start"), 0)


def checks(machine: nvidia.Machine, *, build: tensorflow_build.Build | None) -> Iterator[Check]:
    """Yield the checks of what is below TensorFlow; none of them imports it."""
    yield device(machine)
    if not machine.devices or build is None:
        return
    yield _checked(
        "driver",
        fault=gpu_faults.driver_fault(machine, build=build),
        finding=machine.driver or "libcuda.so.1; no version in /proc/driver/nvidia (none in WSL)",
    )
    found = ", ".join(f"lib{n}.so.{max(majors)}" for n, majors in machine.libraries.items())
    yield _checked(
        "cuda",
        fault=gpu_faults.build_fault(build) or gpu_faults.library_fault(machine, build=build),
        finding=found,
    )
    if machine.has_libcuda:
        yield from gpus(build)


def device(machine: nvidia.Machine) -> Check:
    """Check which GPU there is."""
    if not machine.devices:
        other = "a GPU that is not NVIDIA's" if machine.has_other_gpu else "none"
        return good("gpu", f"{other}: TensorFlow's own wheels use the CPU")
    finding = ", ".join(machine.devices)
    if machine.is_hidden:
        advice = f"unset CUDA_VISIBLE_DEVICES ({machine.visible!r}), which hides all GPUs"
        return Check("gpu", Level.DOUBTFUL, finding, advice)
    return good("gpu", finding)


def gpus(build: tensorflow_build.Build) -> Iterator[Check]:
    """Yield a check for each GPU that the driver shows."""
    try:
        found = nvidia.gpus()
    except nvidia.DriverError as error:
        advice = "restart the machine if the driver was updated, and see what nvidia-smi says"
        yield Check("driver", Level.BAD, f"does not start ({error})", advice)
        return
    for index, gpu in enumerate(found):
        capability = ".".join(map(str, gpu.capability))
        finding = f"{gpu.name}, {gpu.memory_bytes / 1e9:.0f} GB, compute capability {capability}"
        fault = gpu_faults.capability_fault([gpu], build=build)
        yield _checked(f"gpu {index}", fault=fault, finding=finding)


def computed(probed: Probed, *, has_device: bool) -> Iterator[Check]:
    """Yield the checks of what TensorFlow computed in the probe."""
    for line in probed.lines:
        yield from _READERS[line["kind"]](line)
    if probed.lines and has_device and not probed.num_gpus:
        said = "; ".join(probed.warnings) or "it does not say why"
        advice = "mend what is bad above; --num_gpus=0 uses the CPU"
        yield Check("gpu", Level.BAD, f"TensorFlow lists none: {said}", advice)
    if probed.end:
        advice = (
            "another version of TensorFlow or of the driver; "
            "NCCL_P2P_DISABLE=1 if several GPUs do not answer"
        )
        last = f"after {probed.lines[-1]['kind']}" if probed.lines else "while it was imported"
        yield Check("tensorflow", Level.BAD, f"{probed.end} {last}", advice)


def run_probe(timeout_s: float = _TIMEOUT_S) -> Probed:
    """Run `device_probe` in a process of its own, whatever becomes of that."""
    command = [sys.executable, "-m", "trainer.diagnosis.device_probe"]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"}
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        with subprocess.Popen(command, stdout=stdout, stderr=stderr, env=environment) as process:
            end = _end(process, timeout_s=timeout_s)
        stdout.seek(0)
        stderr.seek(0)
        lines = [json.loads(line) for line in stdout if line.startswith('{"kind"')]
        said = stderr.read()
    if end and said.strip():
        end = f"{end} ({said.strip().splitlines()[-1][:200]})"
    return Probed(lines=lines, end=end, warnings=_warnings(said))


def _end(process: "subprocess.Popen[bytes]", *, timeout_s: float) -> str:
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return f"TensorFlow did not answer for {timeout_s:.0f} s"
    if code < 0:
        return f"TensorFlow was ended by {signal.Signals(-code).name}"
    return f"TensorFlow ended with exit code {code}" if code else ""


def _warnings(said: str) -> tuple[str, ...]:
    """Return TensorFlow's lines about drivers and libraries, without time and place."""
    lines = re.findall(r"\] (.*(?:dlopen|cuda drivers|cuInit|CUDA_ERROR).*)", said)
    return tuple(dict.fromkeys(line.partition(". ")[0] for line in lines))


def _checked(name: str, *, fault: str | None, finding: str) -> Check:
    """Return a good check, or a bad one whose advice is behind the fault's colon."""
    if fault is None:
        return good(name, finding)
    text, _, advice = fault.partition(": ")
    return Check(name, Level.BAD, text, advice)


def _started(line: Mapping[str, Any]) -> Iterator[Check]:
    yield good("start", f"TensorFlow {line['version']} imported in {line['seconds']:.1f} s")


def _refused(line: Mapping[str, Any]) -> Iterator[Check]:
    yield _checked("gpu", fault=line["reason"], finding="")


def _product(line: Mapping[str, Any]) -> Iterator[Check]:
    name = line["device"].removeprefix("/").replace(":", " ")
    if line["is_right"]:
        speeds = {dtype: f"{1e3 * speed:,.0f}" for dtype, speed in line["tflops"].items()}
        listed = " and ".join(f"{speed} in {dtype}" for dtype, speed in speeds.items())
        gain = line["tflops"]["bfloat16"] / line["tflops"]["float32"]
        finding = f"matrix product right, GFLOP/s: {listed}"
        advice = _BFLOAT16 + (_EXCEPT_ON_A_CPU if name.startswith("cpu") else "")
        yield Check(name, Level.GOOD, finding, advice if gain >= _CLEAR_GAIN else "")
    else:
        advice = "do not train on it: test its memory (nvidia-smi -q -d ECC), or replace it"
        yield Check(name, Level.BAD, "matrix product wrong", advice)


def _all_reduce(line: Mapping[str, Any]) -> Iterator[Check]:
    name = "all-reduce"
    if line["is_right"]:
        yield good(name, f"right over {line['devices']} GPUs, {line['gb_per_s']:,.1f} GB/s")
    else:
        advice = "try NCCL_P2P_DISABLE=1; train with --num_gpus=1 until it is right"
        yield Check(name, Level.BAD, f"wrong over {line['devices']} GPUs", advice)


_READERS = {"start": _started, "refused": _refused, "product": _product, "all_reduce": _all_reduce}
