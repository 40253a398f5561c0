"""Notebook runner: executes docs/affectnet_faces.ipynb and saves its outputs.

    python -m docs.notebook

Owns the rule of what may be saved: outputs of drawn faces only, since AffectNet's images may not be
redistributed, and nothing that differs from machine to machine. jupyter nbconvert --execute was
rejected: it saves execution times and uses whichever build of the data it finds.
"""

import base64
import io
import os
import pathlib
import re
import sys
import tempfile
from collections.abc import Mapping

import nbclient
import nbformat
import PIL.Image

NOTEBOOK = pathlib.Path(__file__).with_name("affectnet_faces.ipynb")
_ROOT = NOTEBOOK.parents[1]
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def main() -> None:
    """Execute the notebook on newly drawn faces and save it with its outputs."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = execute(read(), folder=pathlib.Path(folder), data_dir="build/notebook/data")
    found = faults(notebook)
    if found:
        sys.exit(f"error: {NOTEBOOK.name} is not saved: {'; '.join(found)}")
    shrink(notebook)
    nbformat.write(notebook, NOTEBOOK)
    print(f"notebook      {NOTEBOOK.relative_to(_ROOT)}   {NOTEBOOK.stat().st_size / 1e3:.0f} kB")


def read(*, settings: Mapping[str, int] | None = None) -> nbformat.NotebookNode:
    """Return the notebook, with other values for settings of its cell `setup`.

    Raises:
      KeyError: if the cell does not set such a name, or sets it more than once.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (setup,) = [cell for cell in notebook.cells if cell.id == "setup"]
    for name, value in (settings or {}).items():
        setup.source, count = re.subn(
            rf"^{name} = \d+", f"{name} = {value}", setup.source, flags=re.MULTILINE
        )
        if count != 1:
            raise KeyError(name)
    return notebook


def execute(
    notebook: nbformat.NotebookNode, *, folder: pathlib.Path, data_dir: str
) -> nbformat.NotebookNode:
    """Run every cell in a folder with this checkout's code, and return the notebook.

    Args:
      data_dir: TFDS_DATA_DIR of the cells.

    Raises:
      nbclient.exceptions.CellExecutionError: if a cell raises.
    """
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "TFDS_DATA_DIR": data_dir}
    client = nbclient.NotebookClient(
        notebook,
        timeout=1800,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(folder)}},
    )
    done = client.execute(env=env)
    done.metadata = nbformat.from_dict(_METADATA)
    return done


def shrink(notebook: nbformat.NotebookNode) -> None:
    """Reduce the saved images to 256 colours each: photographs take a fifth of the space then."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                image = PIL.Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
                content = io.BytesIO()
                image.quantize(256).save(content, "PNG", optimize=True)
                output.data["image/png"] = base64.b64encode(content.getvalue()).decode()


def faults(notebook: nbformat.NotebookNode) -> list[str]:
    """Return what must not be saved: missing output, errors, warnings, paths of this machine."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [
        f"code cell {number} {fault}"
        for number, cell in enumerate(cells, start=1)
        for fault in _faults_of(cell)
    ]


def _faults_of(cell: nbformat.NotebookNode) -> list[str]:
    found = [] if cell.outputs else ["has no output"]
    for output in cell.outputs:
        if output.output_type == "error" or output.get("name") == "stderr":
            found.append(f"ends in {output.output_type}: {_text(output)[:200]!r}")
        found += [f"holds {match!r}" for match in _NOT_KEPT.findall(_text(output))]
    return found + (["has execution times"] if "execution" in cell.metadata else [])


_NOT_KEPT = re.compile(
    r"(?<![\w.:/<])/(?:\w[\w.+-]*/)+[\w.+-]+|[A-Z]:\\\w+|[\r\b\x1b]|0x[0-9a-f]{6,}|\w*Warning\b"
)
"""Absolute paths on Unix or Windows, terminal control characters, addresses, warnings."""


def _text(output: nbformat.NotebookNode) -> str:
    if output.output_type == "error":
        return f"{output.ename}: {output.evalue}"
    if output.output_type == "stream":
        return output.text
    return "\n".join(text for kind, text in output.data.items() if kind.startswith("text/"))


if __name__ == "__main__":
    main()
