"""Page: document head, list of sections, and the tables, bars, tiles and notes in them.

No script at all, and a content security policy that forbids scripts in the browser: whatever the
file names of a data set hold, nothing runs it. What opens on a click is a link with :target.
"""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from runtime import atomic_file
from webpage import markup
from webpage.markup import Content, Markup

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)


class Section(NamedTuple):
    """A part of a page: anchor, heading, content, and whether it is folded on a phone."""

    anchor: str
    title: str
    body: Content
    is_folded: bool = False


def page(title: str, *, lead: Content, sections: Sequence[Section]) -> str:
    """Return a whole HTML document.

    Args:
      title: of the window and at the top.
      lead: content under the title.
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
    """Write a page atomically; characters that are no UTF-8 (half a surrogate pair) become "?"."""
    return atomic_file.replace(path, content=text.encode("utf-8", errors="replace"))


def style() -> str:
    """Return the CSS of all pages."""
    return resources.files("webpage").joinpath("style.css").read_text(encoding="utf-8")


def table(
    heads: Sequence[str], rows: Sequence[Sequence[Content]], *, texts: int = 1, caption: str = ""
) -> Markup:
    """Return a table that scrolls sideways where the screen is too narrow for it.

    Args:
      heads: a heading a column.
      rows: a cell a column; numbers are formatted already.
      texts: number of columns, from the left, that hold text; the others hold numbers, aligned
        right.
      caption: its caption.
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
    """Return a list of names and values."""
    pairs = (
        (markup.element("dt", name), markup.element("dd", value)) for name, value in items.items()
    )
    return markup.element("dl", [markup.element("div", *pair) for pair in pairs], class_="facts")


def tiles(items: Sequence[tuple[str, str, str]]) -> Markup:
    """Return tiles with a large number: (name, number, remark) each."""
    return markup.element(
        "div",
        [
            markup.element(
                "div",
                markup.element("span", name, class_="what"),
                markup.element("strong", number),
                markup.element("span", remark, class_="remark"),
                class_="tile",
            )
            for name, number, remark in items
        ],
        class_="tiles",
    )


def note(*content: Content) -> Markup:
    """Return a paragraph in small type."""
    return markup.element("p", *content, class_="note")


def grid(items: Sequence[Content], *, kind: str = "charts") -> Markup:
    """Return items side by side, as many as fit; `kind` is a class of style.css."""
    return markup.element("div", items, class_=f"grid {kind}")


def more(summary: str, *content: Content) -> Markup:
    """Return content that is folded until the reader opens it."""
    return markup.element("details", markup.element("summary", summary), content)


def _section(section: Section) -> Markup:
    heading = markup.element("h2", section.title)
    if not section.is_folded:
        return markup.element("section", heading, section.body, id=section.anchor)
    # A browser opens what holds the target of a link: so the anchor is inside.
    body = markup.element("div", section.body, id=section.anchor)
    folded = markup.element("details", markup.element("summary", heading), body)
    return markup.element("section", folded, class_="fold")


class Bar(NamedTuple):
    """One bar: its length as a fraction of the longest, the text beside it, its colour."""

    fraction: float  # 0..1
    text: str
    colour: str


def bars(rows: Sequence[tuple[Content, Sequence[Bar]]]) -> Markup:
    """Return horizontal bars, one or several a name."""
    return markup.element("div", [_bar_row(name, group) for name, group in rows], class_="bars")


def _bar_row(name: Content, group: Sequence[Bar]) -> Markup:
    return markup.element(
        "div",
        markup.element("span", name),
        markup.element("div", [_bar(bar) for bar in group], class_="pair"),
        class_="row",
    )


def _bar(bar: Bar) -> Markup:
    width = f"calc((100% - var(--room, 110px)) * {bar.fraction:.4f})"
    return markup.element(
        "div",
        markup.element("i", style=f"width: {width}; background: {bar.colour}"),
        markup.element("b", bar.text),
        class_="bar",
    )
