"""What the pictures are like: how large originals and faces are, and where valence and arousal lie."""

import collections
import math
from collections.abc import Mapping

import webpage.page
from pipeline.data_report import build_files
from pipeline.shards import image_statistics
from webpage import charts, colours, markup

_NOTHING = "This build's shards were made by a version of the job that did not record it."


def sizes(made: build_files.Material) -> list[markup.Content]:
    """Show how large the originals and the faces in them are."""
    if not made.observed:
        return [webpage.page.note(_NOTHING)]
    found, size = made.total(), made.settings["image_size"]
    pictures = sum(found.picture_px.values())
    return [
        webpage.page.grid(
            [
                _histogram(
                    "Originals", found.picture_px, "longer side of the picture, in pixels (from)"
                ),
                _histogram("Faces", found.box_px, "longer side of the face box, in pixels (from)"),
            ]
        ),
        webpage.page.note(
            f"{pictures:,} pictures that are in the data set, further copies not counted. {found.enlarged:,} of their "
            f"crops ({found.enlarged / max(pictures, 1):.1%}) had fewer than {size} x {size} pixels and were enlarged."
        ),
    ]


def affect(made: build_files.Material) -> list[markup.Content]:
    """Show where each class's valence and arousal lie."""
    if not made.observed:
        return [webpage.page.note(_NOTHING)]
    counted = made.total().affect
    if not counted:
        return [markup.element("p", "No picture of this data set has valence and arousal.")]
    by_class: dict[int, dict[tuple[int, int], int]] = collections.defaultdict(dict)
    for (label, valence, arousal), count in sorted(counted.items()):
        by_class[label][valence, arousal] = count
    drawn = [_scatter(made.class_names[label], cells) for label, cells in sorted(by_class.items())]
    return [
        webpage.page.note(
            "Each dot is a cell of 0.1 by 0.1; its area is the share of the class's pictures that lie there. "
            "Pictures without a value (-2 in AffectNet) are left out, and so are further copies."
        ),
        webpage.page.grid(drawn, kind="small"),
    ]


def _histogram(title: str, counted: Mapping[int, int], x_label: str) -> markup.Markup:
    first, last = min(counted, default=0), max(counted, default=0)
    edges = [edge for edge in image_statistics.EDGES_PX if first <= edge <= last]
    names = [str(edge) for edge in edges]
    values = [counted.get(edge, 0) for edge in edges]
    drawn = charts.columns(
        names, values, x_label=x_label, y_label="pictures", alt=f"{title}: {x_label}"
    )
    return markup.element("div", markup.element("h3", title), drawn)


def _scatter(name: str, cells: Mapping[tuple[int, int], int]) -> markup.Markup:
    frame = charts.Frame(
        x_label="valence",
        y_label="arousal",
        x_range=(-1.05, 1.05),
        y_range=(-1.05, 1.05),
        width=250,
        height=240,
    )
    circle = [(math.cos(t / 30 * math.pi), math.sin(t / 30 * math.pi)) for t in range(61)]
    most = max(cells.values())
    dots = [
        frame.dot(
            image_statistics.cell_centre(valence),
            image_statistics.cell_centre(arousal),
            radius=max(1.2, 6 * math.sqrt(count / most)),
            fill=colours.BLUE,
            fill_opacity=0.55,
        )
        for (valence, arousal), count in cells.items()
    ]
    alt = f"Valence and arousal of {name}"
    chart = frame.draw(frame.path(circle, class_="grid-line"), dots, alt=alt)
    return charts.figure(chart, title=f"{name} ({sum(cells.values()):,})")
