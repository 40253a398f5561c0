"""NVIDIA GPUs of this machine, found without TensorFlow: devices, driver, CUDA libraries.

Owns what files and the driver say; what it means for TensorFlow is `gpu_faults`'. Asking TensorFlow
was rejected: it lists no GPU whatever the cause, and takes seconds to import. Only the standard
library is imported, because the Makefile asks before anything is installed.
"""

import ctypes
import dataclasses
import importlib.util
import os
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

ROOT = pathlib.Path("/")
"""Root of the file system that is examined."""

_NODES = ("dev/nvidia[0-9]*", "proc/driver/nvidia/gpus/*")
_PCI_VENDOR = "0x10de"
_PCI_DISPLAY = "0x03"
"""PCI class of display controllers; NVIDIA's sound, USB and network devices have others."""
_WSL = "dev/dxg"
"""The GPU of Windows, whoever made it: NVIDIA's driver for Windows brings libcuda."""
_OTHERS = ("dev/kfd", _WSL)
_WSL_LIBRARIES = "usr/lib/wsl/lib"
_LIBRARY_FOLDERS = (
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib64",
    "usr/lib",
    _WSL_LIBRARIES,
)
_LIBRARY = re.compile(r"lib(cudart|cublas|cublasLt|cufft|cusolver|cusparse|cudnn)\.so\.(\d+)")
_CAPABILITY = (75, 76)
"""Major and minor number of the compute capability, as CUdevice_attribute (cuda.h)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Machine:
    """What the files and variables of a machine say about its GPUs."""

    is_linux: bool
    devices: tuple[str, ...] = ()
    """NVIDIA's: device files, else PCI addresses."""
    has_other_gpu: bool = False
    """Whether there is a GPU that is AMD's, or whose maker Windows (WSL) does not tell."""
    driver: str = ""
    """Version of the driver in the kernel; empty: not loaded, or WSL, where Windows has it."""
    has_libcuda: bool = False
    libraries: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    """Major versions of each CUDA library that was found."""
    visible: str | None = None
    """CUDA_VISIBLE_DEVICES."""

    @property
    def is_hidden(self) -> bool:
        """Whether CUDA_VISIBLE_DEVICES leaves no GPU."""
        first = None if self.visible is None else self.visible.partition(",")[0].strip()
        return first in ("", "-1", "NoDevFiles")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gpu:
    """A GPU, as its driver describes it."""

    name: str
    memory_bytes: int
    capability: tuple[int, int]


class DriverError(Exception):
    """The driver's library cannot be loaded, or refuses to start."""


def probe(
    *, packages: pathlib.Path | None = None, environment: Mapping[str, str] = os.environ
) -> Machine:
    """Examine the files under `ROOT`; takes milliseconds.

    Args:
      packages: folder of the installed Python packages; by default the one that has TensorFlow.
      environment: variables of the process.
    """
    folders = [*_package_folders(packages or packages_folder()), *_system_folders(environment)]
    devices = _devices()
    return Machine(
        is_linux=(ROOT / "proc/self").exists(),
        devices=devices,
        has_other_gpu=not devices and any((ROOT / name).exists() for name in _OTHERS),
        driver=_driver_version(),
        has_libcuda=any((folder / "libcuda.so.1").exists() for folder in folders),
        libraries=_libraries(folders),
        visible=environment.get("CUDA_VISIBLE_DEVICES"),
    )


def has_device() -> bool:
    """Return whether the machine has an NVIDIA GPU, whatever is installed for it."""
    return bool(_devices())


def packages_folder() -> pathlib.Path | None:
    """Return the folder that TensorFlow is installed in, without importing it."""
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or not spec.submodule_search_locations:
        return None
    return pathlib.Path(next(iter(spec.submodule_search_locations))).parent


def gpus(library: Any = None) -> list[Gpu]:
    """Return the GPUs that the driver shows this process.

    Args:
      library: libcuda.so.1, loaded here by default.

    Raises:
      DriverError: if the library cannot be loaded, or refuses to start.
    """
    try:
        cuda = library or ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise DriverError(str(error)) from None
    _call(cuda, "cuInit", 0)
    count = ctypes.c_int()
    _call(cuda, "cuDeviceGetCount", ctypes.byref(count))
    return [_gpu(cuda, index=index) for index in range(count.value)]


def _devices() -> tuple[str, ...]:
    nodes = tuple(f"/{path.relative_to(ROOT)}" for name in _NODES for path in ROOT.glob(name))
    if nodes:
        return tuple(sorted(nodes))
    if (ROOT / _WSL).exists() and any((ROOT / _WSL_LIBRARIES).glob("libcuda.so*")):
        return (f"/{_WSL}",)
    cards = sorted((ROOT / "sys/bus/pci/devices").glob("*"))
    return tuple(f"PCI device {card.name}" for card in cards if _is_nvidia(card))


def _is_nvidia(card: pathlib.Path) -> bool:
    vendor, kind = (_text(card / name).strip() for name in ("vendor", "class"))
    return vendor == _PCI_VENDOR and kind.startswith(_PCI_DISPLAY)


def _driver_version() -> str:
    match = re.search(r"\b\d{3,}\.\d+(\.\d+)?\b", _text(ROOT / "proc/driver/nvidia/version"))
    return match[0] if match else ""


def _text(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _package_folders(packages: pathlib.Path | None) -> list[pathlib.Path]:
    """Return the folders in which TensorFlow looks for libraries that pip or conda installed."""
    if packages is None:
        return []
    return [*sorted((packages / "nvidia").glob("*/lib")), packages.parents[1]]


def _system_folders(environment: Mapping[str, str]) -> Iterator[pathlib.Path]:
    """Yield the folders of the dynamic linker: LD_LIBRARY_PATH, ld.so.conf, and its own."""
    given = environment.get("LD_LIBRARY_PATH", "").split(":")
    yield from (ROOT / name.lstrip("/") for name in given if name)
    for file in [ROOT / "etc/ld.so.conf", *sorted((ROOT / "etc/ld.so.conf.d").glob("*.conf"))]:
        lines = _text(file).splitlines()
        yield from (ROOT / line.strip().lstrip("/") for line in lines if line.startswith("/"))
    yield from (ROOT / name for name in _LIBRARY_FOLDERS)


def _libraries(folders: list[pathlib.Path]) -> dict[str, tuple[int, ...]]:
    found: dict[str, set[int]] = {}
    for path in (path for folder in folders for path in folder.glob("libcu*.so.*")):
        if match := _LIBRARY.match(path.name):
            found.setdefault(match[1], set()).add(int(match[2]))
    return {name: tuple(sorted(majors)) for name, majors in sorted(found.items())}


def _gpu(cuda: Any, *, index: int) -> Gpu:
    major, minor = (_attribute(cuda, number=number, index=index) for number in _CAPABILITY)
    name = ctypes.create_string_buffer(100)
    _call(cuda, "cuDeviceGetName", name, len(name), index)
    memory = ctypes.c_size_t()
    _call(cuda, "cuDeviceTotalMem_v2", ctypes.byref(memory), index)
    return Gpu(
        name=name.value.decode(errors="replace"),
        memory_bytes=memory.value,
        capability=(major, minor),
    )


def _attribute(cuda: Any, *, number: int, index: int) -> int:
    value = ctypes.c_int()
    _call(cuda, "cuDeviceGetAttribute", ctypes.byref(value), number, index)
    return value.value


def _call(cuda: Any, function: str, *arguments: Any) -> None:
    code = getattr(cuda, function)(*arguments)
    if code:
        text = ctypes.c_char_p()
        cuda.cuGetErrorName(code, ctypes.byref(text))
        raise DriverError(f"{function}: {(text.value or str(code).encode()).decode()}")
