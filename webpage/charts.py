"""Charts as inline SVG: a frame with labelled axes and marks in it, columns, legends.

Drawn 340 units wide and shown at about that many pixels, on a phone as on a desk, so that letters
keep their size; a page sets several side by side where it has room.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

from webpage import colours, markup, scales
from webpage.markup import Content, Markup

WIDTH = 340
_RIGHT, _TOP, _BOTTOM = 12, 10, 40
_LABEL, _LETTER = 26, 6.7
"""Width left of the axis for its label, and for each letter of a tick."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frame:
    """The axes of a chart, in units of the data."""

    x_label: str
    y_label: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    x_ticks: Sequence[tuple[float, str]] | None = None  # position and text; None: round numbers
    y_ticks: Sequence[tuple[float, str]] | None = None  # as x_ticks
    height: int = 220
    width: int = WIDTH

    @property
    def x(self) -> scales.Scale:
        """Map the data's x to the drawing's."""
        longest = max(3, *(len(label) for _, label in self._y_ticks))
        return scales.Scale(*self.x_range, round(_LABEL + _LETTER * longest), self.width - _RIGHT)

    @property
    def y(self) -> scales.Scale:
        """Map the data's y to the drawing's, where down is larger."""
        return scales.Scale(*self.y_range, self.height - _BOTTOM, _TOP)

    @property
    def _y_ticks(self) -> Sequence[tuple[float, str]]:
        return _round_ticks(self.y_range) if self.y_ticks is None else self.y_ticks

    def draw(self, *marks: Content, alt: str, **attributes: object) -> Markup:
        """Return the chart with marks in it; `alt` describes it to screen readers.

        Further attributes are the drawing's, such as the xmlns of one that is a file of its own.
        """
        y_ticks = self._y_ticks
        x_ticks = _round_ticks(self.x_range) if self.x_ticks is None else self.x_ticks
        axes = [
            [_grid_line(self, value) for value, _ in y_ticks],
            [
                text(self.x.start - 6, self.y(value) + 4, label, anchor="end")
                for value, label in y_ticks
            ],
            [text(self.x(value), self.y.start + 16, label) for value, label in x_ticks],
            text((self.x.start + self.x.stop) / 2, self.height - 6, self.x_label, class_="label"),
            _turned(self.y_label, x=12, y=(self.y.start + self.y.stop) / 2),
        ]
        base = line([(self.x.start, self.y.start), (self.x.stop, self.y.start)], class_="axis")
        drawing = [axes, marks, base]
        return svg(drawing, width=self.width, height=self.height, alt=alt, **attributes)

    def path(self, points: Sequence[tuple[float, float]], **attributes: object) -> list[Markup]:
        """Return a line through points in units of the data; at a NaN it is interrupted."""
        return [self._piece(piece, **attributes) for piece in _pieces(points)]

    def _piece(self, points: Sequence[tuple[float, float]], **attributes: object) -> Markup:
        """Return a line through points, or a dot of its colour for a single one."""
        if len(points) == 1:
            return self.dot(*points[0], fill=attributes.get("stroke"))
        return line([(self.x(x), self.y(y)) for x, y in points], **attributes)

    def dot(self, x: float, y: float, *, radius: float = 3, **attributes: object) -> Markup:
        """Return a dot at a point in units of the data."""
        return markup.element(
            "circle", cx=self.x(x), cy=self.y(y), r=round(radius, 1), **attributes
        )

    def counts(self, cells: Mapping[tuple[float, float], int]) -> list[Markup]:
        """Return a dot at the centre of each cell, with an area proportional to its count."""
        most = max(cells.values(), default=1)
        return [
            self.dot(
                x,
                y,
                radius=max(1.2, 6 * math.sqrt(count / most)),
                fill=colours.BLUE,
                fill_opacity=0.55,
            )
            for (x, y), count in cells.items()
        ]

    def bar(
        self, left: float, right: float, low: float, high: float, **attributes: object
    ) -> Markup:
        """Return a rectangle in units of the data."""
        x = self.x(left)
        y = self.y(high)
        width = round(self.x(right) - x, 1)
        height = round(self.y(low) - y, 1)
        return markup.element("rect", x=x, y=y, width=width, height=height, **attributes)


def columns(
    names: Sequence[str], values: Sequence[float], *, x_label: str, y_label: str, alt: str
) -> Markup:
    """Draw a column a name; on a logarithmic scale where one would vanish, which the axis says."""
    if scales.needs_log(values):
        return _log_columns(names, values, x_label=x_label, y_label=y_label, alt=alt)
    return stacked_columns(
        names,
        [[value] for value in values],
        fills=[colours.BLUE],
        x_label=x_label,
        y_label=y_label,
        alt=alt,
    )


def stacked_columns(
    names: Sequence[str],
    stacks: Sequence[Sequence[float]],
    *,
    fills: Sequence[str],
    x_label: str,
    y_label: str,
    alt: str,
    title: Content = None,
) -> Markup:
    """Draw a column a name, with several values one on top of the other.

    Args:
      names: written below the columns, as far as there is room for them.
      stacks: for each name its values, from the lowest.
      fills: a colour a value.
      x_label: of all names.
      y_label: of all values.
      alt: description for screen readers.
      title: above the chart.
    """
    top = scales.ceiling(max(map(sum, stacks), default=0))
    frame = _column_frame(names, x_label=x_label, y_label=y_label, top=top)
    bars = [_stack(frame, i, values, fills) for i, values in enumerate(stacks)]
    return figure(frame.draw(bars, alt=alt), title=title)


def figure(chart: Markup, *under: Content, title: Content = None) -> Markup:
    """Return a chart with its title above and explanations under it."""
    caption = markup.element("figcaption", title) if title else None
    return markup.element("figure", caption, chart, *under)


def legend(entries: Sequence[tuple[str, str, str]]) -> Markup:
    """Return a legend of (name, colour, dashes) entries."""
    return markup.element("div", [_entry(*entry) for entry in entries], class_="legend")


def svg(*content: Content, width: float, height: float, alt: str, **attributes: object) -> Markup:
    """Return a drawing that fills the available width and keeps its proportions."""
    box = f"0 0 {width:g} {height:g}"
    return markup.element("svg", content, viewBox=box, role="img", aria_label=alt, **attributes)


def line(points: Sequence[tuple[float, float]], **attributes: object) -> Markup:
    """Return a line through points in units of the drawing."""
    return markup.element(
        "polyline", points=" ".join(f"{x:g},{y:g}" for x, y in points), fill="none", **attributes
    )


def text(x: float, y: float, words: str, *, anchor: str = "middle", **attributes: object) -> Markup:
    """Return text at a point in units of the drawing."""
    return markup.element(
        "text", words, x=round(x, 1), y=round(y, 1), text_anchor=anchor, **attributes
    )


def _round_ticks(ends: tuple[float, float]) -> list[tuple[float, str]]:
    return [(value, scales.text(value)) for value in scales.ticks(*ends, count=5)]


def _column_frame(
    names: Sequence[str],
    *,
    x_label: str,
    y_label: str,
    top: float,
    y_ticks: Sequence[tuple[float, str]] | None = None,
) -> Frame:
    """Return axes for a column a name, with as many of the names as there is room for."""
    every = math.ceil(len(names) / 8)
    return Frame(
        x_label=x_label,
        y_label=y_label,
        x_range=(0, max(len(names), 1)),
        y_range=(0, top),
        x_ticks=[(i + 0.5, name) for i, name in enumerate(names) if i % every == 0],
        y_ticks=y_ticks,
    )


def _log_columns(
    names: Sequence[str], values: Sequence[float], *, x_label: str, y_label: str, alt: str
) -> Markup:
    lengths = [scales.log_length(value) for value in values]
    frame = _column_frame(
        names,
        x_label=x_label,
        y_label=f"{y_label} (logarithmic)",
        top=max(lengths),
        y_ticks=scales.log_ticks(max(values)),
    )
    bars = [_stack(frame, i, [length], [colours.BLUE]) for i, length in enumerate(lengths)]
    return figure(frame.draw(bars, alt=alt))


def _stack(
    frame: Frame, column: int, values: Sequence[float], fills: Sequence[str]
) -> list[Markup]:
    edges = [0, *itertools.accumulate(values)]
    return [
        frame.bar(column + 0.1, column + 0.9, low, high, fill=fill)
        for (low, high), fill in zip(itertools.pairwise(edges), fills, strict=True)
    ]


def _entry(name: str, colour: str, dashes: str) -> Markup:
    sample = line([(1, 6), (23, 6)], stroke=colour, stroke_width=4, stroke_dasharray=dashes or None)
    return markup.element("span", svg(sample, width=24, height=12, alt="", class_="sample"), name)


def _grid_line(frame: Frame, value: float) -> Markup:
    return line(
        [(frame.x.start, frame.y(value)), (frame.x.stop, frame.y(value))], class_="grid-line"
    )


def _turned(words: str, *, x: float, y: float) -> Markup:
    return text(x, y, words, class_="label", transform=f"rotate(-90 {x:g} {y:g})")


def _pieces(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    pieces: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if all(map(math.isfinite, point)):
            pieces[-1].append(point)
        else:
            pieces.append([])
    return [piece for piece in pieces if piece]
