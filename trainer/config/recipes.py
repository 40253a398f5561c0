"""Recipes: named settings in trainer/recipes/*.yaml, or in any YAML file by its path.

Owns finding and reading them; flags given beside a recipe win. Python files as recipes were
rejected: a recipe should be diffable and unable to run code.
"""

import pathlib
from typing import Any

from runtime import errors, untrusted

_LONGEST_NAME = 100
FOLDER = pathlib.Path(__file__).resolve().parents[1] / "recipes"


def load(name: str) -> dict[str, Any]:
    """Return the settings of a recipe, not yet checked (`run_config.make` does that).

    Raises:
      errors.UserError: if there is no such recipe, or its file is not a mapping.
    """
    path = pathlib.Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not path.exists():
        raise errors.UserError(
            f"no recipe and no .yaml file is called {name}; {errors.nearest(name, known=names())}"
        )
    text = untrusted.read_text(path, at_most=untrusted.SETTINGS_BYTES)
    settings = untrusted.parse_yaml(text, where=path)
    if not isinstance(settings, dict):
        raise errors.UserError(
            f"{path} must hold lines 'setting: value': got {type(settings).__name__}"
        )
    for setting in settings:
        if not isinstance(setting, str) or len(setting) > _LONGEST_NAME:
            raise errors.UserError(
                f"{path} must name settings by words: got {setting!r:.{_LONGEST_NAME}}"
            )
    return settings


def names() -> list[str]:
    """Return the names of the recipes that come with the program."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))
