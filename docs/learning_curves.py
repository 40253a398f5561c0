"""Learning curves of docs/accuracy.md: docs/runs/learning_curves.svg, from each run's history.csv.

    python -m docs.learning_curves    draws the picture anew

Owns the picture. It is SVG with its own style, so that it is sharp at any width and follows the
colour scheme of the page; a PNG of Matplotlib's was rejected since it does neither.
"""

import pathlib

from runtime import atomic_file
from trainer.run import history
from webpage import charts, colours, markup, scales

RUNS = pathlib.Path(__file__).resolve().parent / "runs"
FILE = "learning_curves.svg"

_WIDTH, _HEIGHT = 480, 320
_STYLE = """\
text { font: 11.5px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: #57606a; }
.label { fill: #1b1f24; } .axis { stroke: #57606a; } .grid-line { stroke: #e4e8ec; }
@media (prefers-color-scheme: dark) {
  text { fill: #9da7b1; } .label { fill: #e6edf3; } .axis { stroke: #9da7b1; }
  .grid-line { stroke: #262c34; }
}"""
_DASHES = "5 3"
"""Of the accuracy in training."""


def main() -> None:
    """Draw the runs that docs/runs holds."""
    atomic_file.replace(RUNS / FILE, content=drawn(RUNS).encode())


def drawn(runs: pathlib.Path) -> str:
    """Return the picture of the runs in a folder, which have a history.csv each."""
    histories = {path.parent.name: history.read_csv(path) for path in runs.glob("*/history.csv")}
    last = max(len(rows) for rows in histories.values())
    frame = charts.Frame(
        x_label="epoch",
        y_label="accuracy",
        x_range=(1, last),
        y_range=(0.2, 0.8),
        x_ticks=[(x, scales.text(x)) for x in scales.ticks(1, last) if x == int(x)],
        height=_HEIGHT,
        width=_WIDTH,
    )
    names = sorted(histories)
    curves = [
        frame.path(
            [(row["epoch"], row[column]) for row in histories[name]],
            stroke=colours.SERIES[k],
            stroke_width=width,
            stroke_dasharray=dashes,
        )
        for k, name in enumerate(names)
        for column, width, dashes in (("accuracy", 1.2, _DASHES), ("val_accuracy", 2.2, None))
    ]
    ends = "; ".join(f"{name} {histories[name][-1]['val_accuracy']:.3f}" for name in names)
    picture = frame.draw(
        markup.element("style", _STYLE),
        curves,
        [_entry(frame, k, name) for k, name in enumerate(names)],
        alt=f"Accuracy by epoch, on PublicTest at the end: {ends}",
        xmlns="http://www.w3.org/2000/svg",
    )
    return f"{picture}\n"


def _entry(frame: charts.Frame, k: int, name: str) -> list[markup.Markup]:
    """Return a line of the legend, below the curves, where the plot is empty."""
    right, y = frame.x.stop, frame.y.start - 14 - 18 * k
    ends = [(right - 128, y - 4), (right - 104, y - 4)]
    sample = charts.line(ends, stroke=colours.SERIES[k], stroke_width=2.2)
    return [sample, charts.text(right - 98, y, name, anchor="start", class_="label")]


if __name__ == "__main__":
    main()
