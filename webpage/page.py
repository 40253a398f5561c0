"""The page as a whole: its head, its list of sections, and tables, bars and notes in them.

No script at all, and a content security policy that says so to the browser: whatever a data set's
file names hold, there is nothing that would run it. What opens on a click is done with links and
:target.
"""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from runtime import atomic_file
from webpage import markup
from webpage.markup import Content, Markup

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class Section(NamedTuple):
    """A part of a page: its anchor, its heading, what is in it."""

    anchor: str
    title: str
    body: Content


def page(title: str, *, lead: Content, sections: Sequence[Section]) -> str:
    """Return a whole HTML document.

    Args:
      title: of the window and at the top.
      lead: what stands under the title.
      sections: in order; the page begins with links to them.
    """
    links = [markup.element("a", section.title, href=f"#{section.anchor}") for section in sections]
    head = markup.element(
        "head",
        markup.element("meta", charset="utf-8"),
        markup.element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        markup.element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        markup.element("title", title),
        markup.element("style", Markup(style())),  # Our own file; CSS is not escaped as HTML.
    )
    body = markup.element(
        "body",
        markup.element("header", markup.element("h1", title), lead, markup.element("nav", links)),
        markup.element("main", [_section(section) for section in sections]),
    )
    return f"<!doctype html>\n{markup.element('html', head, body, lang='en')}\n"


def write(path: Path, text: str) -> Path:
    """Write a page in one rename; what cannot be written as UTF-8 (half of a surrogate pair)
    becomes "?"."""
    return atomic_file.replace(path, content=text.encode("utf-8", errors="replace"))


def style() -> str:
    """Return the CSS of all pages."""
    return resources.files("webpage").joinpath("style.css").read_text(encoding="utf-8")


def table(
    heads: Sequence[str], rows: Sequence[Sequence[Content]], *, texts: int = 1, caption: str = ""
) -> Markup:
    """Return a table that scrolls sideways by itself where the screen is too narrow for it.

    Args:
      heads: a heading a column.
      rows: a cell a column; numbers are written as they are to be read.
      texts: so many columns from the left hold text; the others hold numbers, set flush right.
      caption: what it shows.
    """

    def cells(name: str, row: Sequence[Content]) -> list[Markup]:
        return [
            markup.element(name, cell, class_="number" if i >= texts else None)
            for i, cell in enumerate(row)
        ]

    inner = markup.element(
        "table",
        markup.element("caption", caption) if caption else None,
        markup.element("thead", markup.element("tr", cells("th", heads))),
        markup.element("tbody", [markup.element("tr", cells("td", row)) for row in rows]),
    )
    return markup.element("div", inner, class_="scroll", tabindex="0")


def facts(items: Mapping[str, Content]) -> Markup:
    """Return a list of names and what they are."""
    pairs = (
        (markup.element("dt", name), markup.element("dd", value)) for name, value in items.items()
    )
    return markup.element("dl", [markup.element("div", *pair) for pair in pairs], class_="facts")


def tiles(items: Sequence[tuple[str, str, str]]) -> Markup:
    """Return large numbers: (what, number, remark) each."""
    return markup.element(
        "div",
        [
            markup.element(
                "div",
                markup.element("span", what, class_="what"),
                markup.element("strong", number),
                markup.element("span", remark, class_="remark"),
                class_="tile",
            )
            for what, number, remark in items
        ],
        class_="tiles",
    )


def note(*content: Content) -> Markup:
    """Return a paragraph in small type."""
    return markup.element("p", *content, class_="note")


def grid(items: Sequence[Content], *, kind: str = "charts") -> Markup:
    """Return things side by side, as many as the screen has room for. `kind` is charts, small or
    pictures."""
    return markup.element("div", items, class_=f"grid {kind}")


def more(summary: str, *content: Content) -> Markup:
    """Return what is folded away until it is asked for."""
    return markup.element("details", markup.element("summary", summary), content)


def _section(section: Section) -> Markup:
    heading = markup.element("h2", section.title)
    return markup.element("section", heading, section.body, id=section.anchor)


class Bar(NamedTuple):
    """One bar: its share of the longest, what is written beside it, its colour."""

    share: float  # 0..1
    said: str
    colour: str


def bars(rows: Sequence[tuple[Content, Sequence[Bar]]]) -> Markup:
    """Return horizontal bars, one or several a name."""
    return markup.element("div", [_bar_row(name, group) for name, group in rows], class_="bars")


def _bar_row(name: Content, group: Sequence[Bar]) -> Markup:
    drawn = [
        markup.element(
            "div",
            markup.element(
                "i",
                style=f"width: calc((100% - var(--room, 110px)) * {bar.share:.4f}); background: {bar.colour}",
            ),
            markup.element("b", bar.said),
            class_="bar",
        )
        for bar in group
    ]
    return markup.element(
        "div",
        markup.element("span", name),
        markup.element("div", drawn, class_="pair"),
        class_="row",
    )
