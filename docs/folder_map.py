"""Folder map of docs/design.md, from the first docstring sentence of each package.

    python -m docs.folder_map    writes the table anew

Owns the table between the two markers. A map written by hand was rejected: it goes out of date with
the first folder that is added, and no test can tell.
"""

import ast
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "design.md"
BEGIN = "<!-- Written by python -m docs.folder_map -->"
END = "<!-- end of the map -->"
LEFT_OUT = {"build", "dist", "runs"}
"""Folders of what is built here."""


def main() -> None:
    """Write the map into docs/design.md."""
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def updated(page: str) -> str:
    """Return the page with a new table between its markers."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table()}{END}{after}"


def table() -> str:
    """Return one row for each package: its path and what it holds."""
    rows = [f"| `{path}/` | {summary(ROOT / path)} |\n" for path in packages()]
    return "\n| folder | holds |\n|---|---|\n" + "".join(rows) + "\n"


def packages() -> list[str]:
    """Return the paths of all packages below the root, without those that mirror them in tests/."""
    found = [path.parent.relative_to(ROOT) for path in ROOT.glob("[a-z]*/**/__init__.py")]
    return sorted(
        path.as_posix()
        for path in found
        if path.parts[0] not in LEFT_OUT and (path.parts[0] != "tests" or len(path.parts) == 1)
    )


def summary(package: pathlib.Path) -> str:
    """Return the first sentence of a package's docstring.

    Raises:
      ValueError: if it has none.
    """
    tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
    text = ast.get_docstring(tree)
    if not text:
        raise ValueError(f"{package}/__init__.py needs a docstring: it describes the folder")
    first = " ".join(text.split("\n\n")[0].split())
    return first.split(". ")[0].removesuffix(".")


if __name__ == "__main__":
    main()
