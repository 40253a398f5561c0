"""HTML and SVG elements that escape their texts and attributes when they are made.

Owns escaping, by markupsafe, so that no page can forget it: a str is text, and only the result of
`element` is markup. Templates were rejected: they would put tables and charts into a second
language.
"""

import base64
from collections.abc import Iterable

import markupsafe

Markup = markupsafe.Markup

Content = str | int | float | None | Iterable["Content"]
"""Content of an element; None is nothing, a str that is no Markup is text."""

_VOID = {"br", "img", "meta", "link", "hr"}


def element(name: str, /, *content: Content, **attributes: object) -> Markup:
    """Return an element.

    Args:
      name: of the element.
      content: texts and elements, or lists of them.
      attributes: by name; a trailing underscore is dropped (class_), others become hyphens
        (stroke_width). None is left out; True is an attribute without a value.
    """
    start = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    # Safe as markup: names are literals, `_attribute` escapes values and `joined` escapes content.
    if name in _VOID:
        return Markup(start)
    return Markup(f"{start}{joined(content)}</{name}>")


def joined(content: Content) -> Markup:
    """Return texts and elements as one piece of markup."""
    if content is None:
        return Markup("")
    if isinstance(content, (str, int, float)):
        return markupsafe.escape(content)
    return Markup("").join(joined(each) for each in content)


def name_of_file(text: str) -> Markup:
    """Return a file's name as code that may wrap anywhere and keeps its own text direction."""
    return element("code", text, class_="name")


def image(content: bytes, *, alt: str, kind: str = "jpeg", **attributes: object) -> Markup:
    """Return an <img> with the image file inside it."""
    return element("img", src=data_uri(content, kind=kind), alt=alt, **attributes)


def data_uri(content: bytes, *, kind: str = "jpeg") -> str:
    """Return an image file as a data URI."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    return f' {name}="{markupsafe.escape(str(value))}"'
