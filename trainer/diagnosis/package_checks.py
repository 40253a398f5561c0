"""Package checks: Python, the installed packages against those that setup.py asks for, TensorFlow.

Owns the comparison, from the installed package's own metadata, so that it cannot drift from
setup.py. Nothing is imported that is looked at: it may be missing or broken.
"""

import importlib.metadata
import platform
import re
import sys
from collections.abc import Iterable, Iterator

from trainer.diagnosis.check import Check, Level, good
from trainer.distributed import nvidia, tensorflow_build

DISTRIBUTION = "affectnet-faces"
PYTHONS = ((3, 10), (3, 13))
"""Oldest and newest Python that TensorFlow has wheels for."""

_SHOWN = ("tensorflow", "keras", "tensorflow-datasets", "apache-beam", "numpy")
_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[\w,-]*\])?\s*([^;]*)(?:;.*extra == [\"']([\w-]+)[\"'])?")
_BOUND = re.compile(r"(>=|<=|==|<|>)\s*([\d.]+)")
_HOLDS = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    "==": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
}
_INSTALL = "python -m pip install --editable '.[{extra}]'"


def checks() -> Iterator[Check]:
    """Yield the checks of Python, of our requirements, of the extras and of TensorFlow's build."""
    yield python()
    try:
        requirements = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        advice = f"in the folder of setup.py: {_INSTALL.format(extra='train')}"
        yield Check("packages", Level.BAD, f"{DISTRIBUTION} is not installed", advice)
    else:
        yield packages(requirements)
        yield extras(requirements)
    yield tensorflow(tensorflow_build.installed())


def python(version: tuple[int, int] = sys.version_info[:2]) -> Check:
    """Check the version of Python."""
    finding = f"{platform.python_version()}, {platform.machine()}, {sys.prefix}"
    oldest, newest = (f"{major}.{minor}" for major, minor in PYTHONS)
    if not PYTHONS[0] <= version <= PYTHONS[1]:
        advice = f"TensorFlow has wheels for Python {oldest} to {newest} only: use one of these"
        return Check("python", Level.BAD, finding, advice)
    if sys.prefix == sys.base_prefix:
        advice = "'make' installs into an environment of the project's own: . .venv/bin/activate"
        return Check("python", Level.DOUBTFUL, f"{finding} (no virtual environment)", advice)
    return good("python", finding)


def packages(requirements: Iterable[str]) -> Check:
    """Check the packages that training needs, and their versions."""
    wrong = list(_wrong(requirements, extras=("", "train")))
    shown = ", ".join(f"{name} {_version(name)}" for name in _SHOWN if _version(name))
    if wrong:
        advice = f"in the folder of setup.py: {_INSTALL.format(extra='train')}"
        return Check("packages", Level.BAD, "; ".join(wrong), advice)
    return good("packages", shown)


def extras(requirements: Iterable[str]) -> Check:
    """Tell which extras are installed; none has to be."""
    named = [match[3] for one in requirements if (match := _REQUIREMENT.match(one)) and match[3]]
    names = [name for name in dict.fromkeys(named) if name not in ("train", "gpu")]
    missing = [name for name in names if any(_wrong(requirements, extras=(name,)))]
    there = [name for name in names if name not in missing]
    finding = f"installed: {', '.join(there) or 'none'}"
    if missing:
        finding += f"; not installed: {', '.join(missing)}"
    return good("extras", finding)


def tensorflow(build: tensorflow_build.Build | None) -> Check:
    """Check TensorFlow's build."""
    if build is None:
        extra = "gpu" if nvidia.has_device() else "train"
        advice = f"in the folder of setup.py: {_INSTALL.format(extra=extra)}"
        return Check("tensorflow", Level.BAD, "not installed", advice)
    if not build.is_cuda:
        return good("tensorflow", f"{build.version}, built without CUDA")
    first, last = (".".join(map(str, end(build.capabilities))) for end in (min, max))
    return good(
        "tensorflow",
        f"{build.version}, built for CUDA {build.cuda}, cuDNN {build.cudnn}, compute capability "
        f"{first} to {last}",
    )


def _wrong(requirements: Iterable[str], *, extras: tuple[str, ...]) -> Iterator[str]:
    """Yield what is missing or of a version that is not asked for."""
    for requirement in requirements:
        match = _REQUIREMENT.match(requirement)
        if match is None or (match[3] or "") not in extras:
            continue
        version = _version(match[1])
        if version is None:
            yield f"{match[1]} is missing"
        elif not _is_allowed(version, bounds=match[2]):
            yield f"{match[1]} {version} is there, and {match[2].strip()} is needed"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _is_allowed(version: str, *, bounds: str) -> bool:
    has = _numbers(version)
    return all(_HOLDS[sign](has, _numbers(bound)) for sign, bound in _BOUND.findall(bounds))


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version without trailing zeros, so that 2.0 equals 2."""
    numbers = [int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:4]]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
