"""GPU faults: what keeps TensorFlow from the NVIDIA GPUs of a machine, and what mends it.

Owns the diagnosis in words. TensorFlow's own warning was rejected: it does not tell a missing
driver from missing libraries, and stands among forty lines of its log.
"""

from collections.abc import Sequence

from trainer.distributed import nvidia, tensorflow_build

DRIVER_OF_CUDA = {11: (450, 80), 12: (525, 60), 13: (580, 65)}
"""Oldest driver (Linux) of each major version of CUDA: NVIDIA's CUDA release notes, table of minor
version compatibility."""

_SAME_AS_CUDA = ("cudart", "cublas", "cublasLt")
"""Libraries whose major version is that of CUDA."""
_OF_THEIR_OWN = ("cufft", "cusolver", "cusparse")


def fault(machine: nvidia.Machine, *, build: tensorflow_build.Build) -> str | None:
    """Return what keeps TensorFlow from the GPUs of a machine with an NVIDIA device, or None.

    The text ends with what mends it.
    """
    of_files = (
        driver_fault(machine, build=build)
        or build_fault(build)
        or library_fault(machine, build=build)
    )
    if of_files:
        return of_files
    try:
        return capability_fault(nvidia.gpus(), build=build)
    except nvidia.DriverError as error:
        return (
            f"its driver does not start ({error}): restart the machine if the driver was updated, "
            "and see whether nvidia-smi lists the GPU"
        )


def driver_fault(machine: nvidia.Machine, *, build: tensorflow_build.Build) -> str | None:
    """Return what is wrong with the driver, by its files, or None."""
    cuda = build.cuda_major or 12
    oldest = DRIVER_OF_CUDA.get(cuda, (0, 0))
    enough = f"{oldest[0]}.{oldest[1]} or newer"
    if not machine.has_libcuda and not machine.driver:
        return (
            "it has no driver (neither /proc/driver/nvidia nor libcuda.so.1 is there): install "
            f"NVIDIA's driver, {enough}, and restart; a container is started with --gpus=all"
        )
    if not machine.has_libcuda:
        return (
            f"the driver's library libcuda.so.1 is not there, while driver {machine.driver} is "
            "loaded: start the container with --gpus=all (NVIDIA Container Toolkit), or install "
            "the rest of the driver"
        )
    if machine.driver and tuple(map(int, machine.driver.split(".")[:2])) < oldest:
        return (
            f"its driver {machine.driver} is too old for CUDA {cuda}: install NVIDIA's driver, "
            f"{enough}"
        )
    return None


def build_fault(build: tensorflow_build.Build) -> str | None:
    """Return that TensorFlow was built without CUDA, or None."""
    if build.is_cuda:
        return None
    return (
        f"TensorFlow {build.version} is installed in a build without CUDA: {build.install_command}"
    )


def library_fault(machine: nvidia.Machine, *, build: tensorflow_build.Build) -> str | None:
    """Return which CUDA libraries are missing or of another version than TensorFlow's, or None."""
    versioned = {**dict.fromkeys(_SAME_AS_CUDA, build.cuda_major), "cudnn": build.cudnn_major}
    found = machine.libraries
    missing = [name for name in (*versioned, *_OF_THEIR_OWN) if name not in found]
    other = [
        f"lib{name}.so.{found[name][-1]}"
        for name, major in versioned.items()
        if name in found and major not in found[name]
    ]
    needs = (
        f"TensorFlow {build.version} needs CUDA {build.cuda_major} and cuDNN {build.cudnn_major}"
    )
    if other:
        return (
            f"its CUDA libraries are of another version ({', '.join(other)}), and {needs}: "
            f"{build.install_command}"
        )
    if missing:
        names = ", ".join(f"lib{name}" for name in missing)
        return (
            f"its CUDA libraries are not installed (no {names}), and {needs}: "
            f"{build.install_command}"
        )
    return None


def capability_fault(gpus: Sequence[nvidia.Gpu], *, build: tensorflow_build.Build) -> str | None:
    """Return which GPU TensorFlow's build has no code for, or None."""
    for gpu in gpus if build.capabilities else ():
        first, last = min(build.capabilities), max(build.capabilities)
        about = (
            f"{gpu.name} has compute capability {_text(gpu.capability)}, and TensorFlow "
            f"{build.version} is built for {_text(first)} to {_text(last)}"
        )
        if gpu.capability[0] > last[0]:
            return (
                f"{about}: its kernels and XLA fail on newer ones (tensorflow#111958); use a build "
                "of TensorFlow for this GPU, as in NVIDIA's TensorFlow container (NGC), or leave "
                "the GPU out by CUDA_VISIBLE_DEVICES"
            )
        if gpu.capability < first:
            return f"{about}: leave this GPU out by CUDA_VISIBLE_DEVICES, or use a newer one"
    return None


def _text(capability: tuple[int, int]) -> str:
    return ".".join(map(str, capability))
