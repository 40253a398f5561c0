"""Charts of the images: sizes of originals and faces, and valence and arousal of each class."""

import collections
import math
from collections.abc import Mapping

import webpage.page
from pipeline.data_report import build_files
from pipeline.shards import image_statistics
from webpage import charts, markup

_NOTHING = "This build's shards were made by a version of the job that did not record it."


def sizes(built: build_files.BuildFiles) -> list[markup.Content]:
    """Show the sizes of the originals and of the faces in them."""
    if not built.observed:
        return [webpage.page.note(_NOTHING)]
    total = built.total()
    size = built.settings["image_size"]
    num_images = sum(total.image_px.values())
    return [
        webpage.page.grid(
            [
                _histogram(
                    "Originals", total.image_px, "longer side of the image, in pixels (from)"
                ),
                _histogram("Faces", total.box_px, "longer side of the face box, in pixels (from)"),
            ]
        ),
        webpage.page.note(
            f"{num_images:,} images of the data set, copies not counted. {total.enlarged:,} crops "
            f"({total.enlarged / max(num_images, 1):.1%}) had fewer than {size} x {size} pixels "
            "and were enlarged."
        ),
    ]


def affect(built: build_files.BuildFiles) -> list[markup.Content]:
    """Show the distribution of valence and arousal in each class."""
    if not built.observed:
        return [webpage.page.note(_NOTHING)]
    counted = built.total().affect
    if not counted:
        return [markup.element("p", "No image of this data set has valence and arousal.")]
    by_class: dict[int, dict[tuple[int, int], int]] = collections.defaultdict(dict)
    for (label, valence, arousal), count in sorted(counted.items()):
        by_class[label][valence, arousal] = count
    drawn = [_scatter(built.class_names[label], cells) for label, cells in sorted(by_class.items())]
    return [
        webpage.page.note(
            "Each dot is a cell of 0.1 by 0.1; its area is proportional to the number of the "
            "class's images in it. Copies, and images without a value (-2 in AffectNet), are left "
            "out."
        ),
        webpage.page.grid(drawn, kind="small"),
    ]


def _histogram(title: str, counted: Mapping[int, int], x_label: str) -> markup.Markup:
    first = min(counted, default=0)
    last = max(counted, default=0)
    edges = [edge for edge in image_statistics.EDGES_PX if first <= edge <= last]
    names = [str(edge) for edge in edges]
    values = [counted.get(edge, 0) for edge in edges]
    drawn = charts.columns(
        names, values, x_label=x_label, y_label="images", alt=f"{title}: {x_label}"
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
    centres = {
        (image_statistics.cell_centre(valence), image_statistics.cell_centre(arousal)): count
        for (valence, arousal), count in cells.items()
    }
    alt = f"Valence and arousal of {name}"
    chart = frame.draw(frame.path(circle, class_="grid-line"), frame.counts(centres), alt=alt)
    return charts.figure(chart, title=f"{name} ({sum(cells.values()):,})")
