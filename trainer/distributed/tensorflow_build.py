"""TensorFlow's build: the version that is installed, and the CUDA that it was built for.

Owns reading them without importing TensorFlow, which takes seconds and which a wrong CUDA library
may end.
"""

import dataclasses
import importlib.metadata
import re
import runpy
import sys

from trainer.distributed import nvidia


@dataclasses.dataclass(frozen=True, kw_only=True)
class Build:
    """The installed TensorFlow, and what it was built for."""

    version: str
    is_cuda: bool
    cuda: str = ""
    """Version of CUDA, such as 12.5.1; empty: not known."""
    cudnn: str = ""
    capabilities: tuple[tuple[int, int], ...] = ()
    """Compute capabilities of GPUs that it has code for."""

    @property
    def cuda_major(self) -> int:
        """Major version of CUDA; 0: not known."""
        return int(self.cuda.partition(".")[0] or 0)

    @property
    def cudnn_major(self) -> int:
        """Major version of cuDNN; 0: not known."""
        return int(self.cudnn.partition(".")[0] or 0)

    @property
    def install_command(self) -> str:
        """The command that installs the CUDA libraries of this version of TensorFlow."""
        force = "" if self.is_cuda else "--force-reinstall "
        return f"{sys.executable} -m pip install {force}'tensorflow[and-cuda]=={self.version}'"


def installed() -> Build | None:
    """Return what the installed TensorFlow was built for, without importing it."""
    folder = nvidia.packages_folder()
    if folder is None:
        return None
    path = folder / "tensorflow/python/platform/build_info.py"
    info = runpy.run_path(str(path))["build_info"] if path.exists() else {}
    return Build(
        version=_version(),
        is_cuda=bool(info.get("is_cuda_build")),
        cuda=info.get("cuda_version", ""),
        cudnn=info.get("cudnn_version", ""),
        capabilities=tuple(map(_capability, info.get("cuda_compute_capabilities", ()))),
    )


def _version() -> str:
    # The package may be tensorflow, tensorflow-cpu or a nightly.
    names = importlib.metadata.packages_distributions().get("tensorflow", ["tensorflow"])
    return importlib.metadata.version(names[0])


def _capability(name: str) -> tuple[int, int]:
    """Return (9, 0) for sm_90 (machine code), sm_90a, and compute_90 (PTX)."""
    digits = re.sub(r"\D", "", name)
    return int(digits[:-1]), int(digits[-1])
