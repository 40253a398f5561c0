"""Command affectnet-faces: starts any program of the project by a short name.

Owns the names; each program is also `python -m` and its module. Loads nothing but the standard
library until it knows which program it starts: help and completion must not wait for TensorFlow.
Sub-parsers of argparse were rejected: they would declare every flag a second time.
"""

import runpy
import sys
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from runtime import errors, installation, program, signals


class Program(NamedTuple):
    """A program: its module, and what it does in a few words."""

    module: str
    summary: str


PROGRAMS = {
    "build": Program("pipeline.main", "AffectNet to TFRecords of face crops, for tfds.load"),
    "inspect": Program("pipeline.inspect", "print what an input folder holds and how it is read"),
    "verify": Program("pipeline.verify", "read every record of a build again and check it"),
    "convert": Program("pipeline.convert", "write a build's examples as ArrayRecord too"),
    "report": Program("pipeline.report", "write the page about a build again"),
    "sample": Program("pipeline.sample", "draw faces in AffectNet's layout, to try things out"),
    "train": Program("trainer.main", "train a classifier on a build"),
    "hosts": Program("trainer.hosts", "train with several hosts, simulated on this machine"),
    "audit": Program("trainer.audit", "find the labels of a build that are probably wrong"),
    "sweep": Program("trainer.sweep", "search for hyperparameters over many runs"),
    "evaluate": Program("trainer.evaluate", "evaluate a model, ours or another, on a build"),
    "compare": Program("trainer.compare", "test whether evaluated runs differ"),
    "baseline": Program("trainer.baseline", "train the linear classifier that a network must beat"),
    "predict": Program("trainer.predict", "classify the faces in images and videos"),
    "export": Program("trainer.export", "a trained model to Keras, SavedModel, ONNX or TFLite"),
    "app": Program("trainer.app", "a local page that classifies uploads and the webcam"),
    "doctor": Program("trainer.doctor", "say what is wrong with installation, GPUs or data"),
}
COMPLETION = "completion"
_SHELLS = ("bash", "zsh")


def main() -> None:
    """Run the program that the first argument names on the arguments that follow it."""
    signals.end_at_once()
    program.prepare()
    program.or_exit(lambda: run(sys.argv[1:]))


def run(words: Sequence[str]) -> None:
    """Run a command line without the command's own name.

    Raises:
      errors.UserError: if its first word is no program.
    """
    first = words[0] if words else "--help"
    if first in ("-h", "--help", "help"):
        print(help_text())
    elif first in ("--version", "version"):
        print(installation.version_line())
    elif first == COMPLETION:
        _print_completion(words[1:])
    elif first in PROGRAMS:
        sys.argv = [f"affectnet-faces {first}", *words[1:]]
        runpy.run_module(PROGRAMS[first].module, run_name="__main__", alter_sys=True)
    else:
        hint = errors.nearest(first, known=[*PROGRAMS, COMPLETION])
        raise errors.UserError(f"affectnet-faces has no program called {first}; {hint}")


def help_text() -> str:
    """Return the help page: programs with their modules, and the exit codes of all."""
    lines = [f"  {name:<11} {about.summary:<57} {about.module}" for name, about in PROGRAMS.items()]
    codes = [
        textwrap.fill(f"  {code:<11} {meaning}", width=100, subsequent_indent=" " * 14)
        for code, meaning in errors.EXIT_CODES.items()
    ]
    return "\n".join(
        [
            "AffectNet to TFRecords to a trained, evaluated and exported classifier.",
            "",
            "  affectnet-faces PROGRAM --flag=value ...   the same as python -m MODULE",
            "  affectnet-faces PROGRAM --help             its flags",
            "  affectnet-faces --version",
            "",
            f"{'Programs':<72}module",
            *lines,
            "",
            "Shell completion",
            '  bash        eval "$(affectnet-faces completion bash)"   in ~/.bashrc',
            '  zsh         eval "$(affectnet-faces completion zsh)"    in ~/.zshrc, after compinit',
            "",
            "Exit codes",
            *codes,
        ]
    )


def _print_completion(words: Sequence[str]) -> None:
    if len(words) != 1 or words[0] not in _SHELLS:
        raise errors.UserError(
            f"affectnet-faces {COMPLETION} needs one shell, {' or '.join(_SHELLS)}: got "
            f"{' '.join(words) or 'nothing'}"
        )
    from runtime import completion  # Inside: it loads the programs, for their flags.

    print(completion.script(words[0], programs=PROGRAMS))


if __name__ == "__main__":
    main()
