"""Charts as inline SVG: a frame with labelled axes, and marks in it.

Drawn 340 units wide and shown at about that many pixels, on a phone as on a desk, so that letters
keep their size; a page sets several side by side where it has room.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

from webpage import colours, markup, scales
from webpage.markup import Content, Markup

WIDTH = 340
_RIGHT, _TOP, _BOTTOM = 12, 10, 40
_LABEL, _LETTER = 26, 6.7
"""Room left of the axis for its label, and for each letter of a tick."""


class Series(NamedTuple):
    """A line: its name, its points (a NaN leaves a gap), its colour, its dashes ("" for none)."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str = colours.BLUE
    dashes: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frame:
    """The axes of a chart, in units of the data."""

    x_label: str
    y_label: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    x_ticks: Sequence[tuple[float, str]] | None = (
        None  # where, and what is written; None: round numbers
    )
    height: int = 220
    width: int = WIDTH

    @property
    def x(self) -> scales.Scale:
        """Map the data's x to the drawing's."""
        longest = max(3, *(len(scales.text(value)) for value in self._y_ticks))
        return scales.Scale(*self.x_range, round(_LABEL + _LETTER * longest), self.width - _RIGHT)

    @property
    def y(self) -> scales.Scale:
        """Map the data's y to the drawing's, where down is larger."""
        return scales.Scale(*self.y_range, self.height - _BOTTOM, _TOP)

    @property
    def _y_ticks(self) -> list[float]:
        return scales.ticks(*self.y_range, count=5)

    def draw(self, *marks: Content, alt: str) -> Markup:
        """Return the chart with marks in it. `alt` says what it shows to those who do not see it."""
        y_ticks = [(value, scales.text(value)) for value in self._y_ticks]
        x_ticks = self.x_ticks
        if x_ticks is None:
            x_ticks = [
                (value, scales.text(value)) for value in scales.ticks(*self.x_range, count=5)
            ]
        axes = [
            [_grid_line(self, value) for value, _ in y_ticks],
            [
                text(self.x.start - 6, self.y(value) + 4, said, anchor="end")
                for value, said in y_ticks
            ],
            [text(self.x(value), self.y.start + 16, said) for value, said in x_ticks],
            text((self.x.start + self.x.stop) / 2, self.height - 6, self.x_label, class_="label"),
            _turned(self.y_label, x=12, y=(self.y.start + self.y.stop) / 2),
        ]
        base = line([(self.x.start, self.y.start), (self.x.stop, self.y.start)], class_="axis")
        return svg([axes, marks, base], width=self.width, height=self.height, alt=alt)

    def path(self, points: Sequence[tuple[float, float]], **attributes: object) -> list[Markup]:
        """Return a line through points in units of the data; at a NaN it is interrupted."""
        return [
            line([(self.x(x), self.y(y)) for x, y in piece], **attributes)
            if len(piece) > 1
            else self.dot(*piece[0])
            for piece in _pieces(points)
        ]

    def dot(self, x: float, y: float, *, radius: float = 3, **attributes: object) -> Markup:
        """Return a dot at a point in units of the data."""
        return markup.element(
            "circle", cx=self.x(x), cy=self.y(y), r=round(radius, 1), **attributes
        )

    def bar(
        self, left: float, right: float, low: float, high: float, **attributes: object
    ) -> Markup:
        """Return a rectangle in units of the data."""
        x, y = self.x(left), self.y(high)
        width, height = round(self.x(right) - x, 1), round(self.y(low) - y, 1)
        return markup.element("rect", x=x, y=y, width=width, height=height, **attributes)


def lines(series: Sequence[Series], frame: Frame, *, alt: str, markers: bool = True) -> Markup:
    """Draw lines, with a legend where there are several."""
    marks = [_drawn(frame, one, markers=markers) for one in series]
    chart = frame.draw(*marks, alt=alt)
    return figure(
        chart,
        legend([(one.name, one.colour, one.dashes) for one in series]) if len(series) > 1 else None,
    )


def columns(
    names: Sequence[str], values: Sequence[float], *, x_label: str, y_label: str, alt: str
) -> Markup:
    """Draw a column a name, each with its number; names are written where there is room for them."""
    top = scales.ceiling(max(values, default=0) * 1.08)
    every = math.ceil(len(names) / 8)
    frame = Frame(
        x_label=x_label,
        y_label=y_label,
        x_range=(0, max(len(names), 1)),
        y_range=(0, top),
        x_ticks=[(i + 0.5, name) for i, name in enumerate(names) if i % every == 0],
    )
    bars = [
        frame.bar(i + 0.1, i + 0.9, 0, value, fill=colours.BLUE) for i, value in enumerate(values)
    ]
    return figure(frame.draw(bars, alt=alt))


def figure(chart: Markup, *under: Content, title: Content = None) -> Markup:
    """Return a chart with its title above and what explains it below."""
    head = markup.element("figcaption", title) if title else None
    return markup.element("figure", head, chart, *under)


def legend(entries: Sequence[tuple[str, str, str]]) -> Markup:
    """Return names beside samples of their colour and dashes: (name, colour, dashes) each."""
    return markup.element("div", [_entry(*entry) for entry in entries], class_="legend")


def svg(*content: Content, width: float, height: float, alt: str, **attributes: object) -> Markup:
    """Return a drawing that takes the width it is given and keeps its proportions."""
    box = f"0 0 {width:g} {height:g}"
    return markup.element("svg", content, viewBox=box, role="img", aria_label=alt, **attributes)


def line(points: Sequence[tuple[float, float]], **attributes: object) -> Markup:
    """Return a line through points in units of the drawing."""
    return markup.element(
        "polyline", points=" ".join(f"{x:g},{y:g}" for x, y in points), fill="none", **attributes
    )


def text(x: float, y: float, said: str, *, anchor: str = "middle", **attributes: object) -> Markup:
    """Return words at a point in units of the drawing."""
    return markup.element(
        "text", said, x=round(x, 1), y=round(y, 1), text_anchor=anchor, **attributes
    )


def _drawn(frame: Frame, one: Series, *, markers: bool) -> list[Content]:
    stroke = {"stroke": one.colour, "stroke_width": 2, "stroke_dasharray": one.dashes or None}
    path = frame.path(one.points, **stroke)
    dots = (
        [frame.dot(x, y, fill=one.colour) for x, y in one.points if math.isfinite(y)]
        if markers
        else []
    )
    return [path, dots]


def _entry(name: str, colour: str, dashes: str) -> Markup:
    sample = line([(1, 6), (23, 6)], stroke=colour, stroke_width=4, stroke_dasharray=dashes or None)
    return markup.element("span", svg(sample, width=24, height=12, alt="", class_="sample"), name)


def _grid_line(frame: Frame, value: float) -> Markup:
    return line(
        [(frame.x.start, frame.y(value)), (frame.x.stop, frame.y(value))], class_="grid-line"
    )


def _turned(said: str, *, x: float, y: float) -> Markup:
    return text(x, y, said, class_="label", transform=f"rotate(-90 {x:g} {y:g})")


def _pieces(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    pieces: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if all(map(math.isfinite, point)):
            pieces[-1].append(point)
        else:
            pieces.append([])
    return [piece for piece in pieces if piece]
