"""HTML and SVG elements whose texts and attributes are escaped when they are made.

Owns escaping, by markupsafe, so that no page can forget it: a str is text, and only what `element`
made is markup. Templates were rejected: they would put tables and charts into a second language.
"""

import base64
from collections.abc import Iterable

import markupsafe

Markup = markupsafe.Markup

Content = str | int | float | None | Iterable["Content"]
"""What may stand in an element; None is nothing, a str that is no Markup is text."""

_VOID = {"br", "img", "meta", "link", "hr"}


def element(name: str, /, *content: Content, **attributes: object) -> Markup:
    """Return an element.

    Args: name: of the element. content: texts and elements, or lists of them. attributes: by name;
      a trailing underscore is dropped (class_), others become hyphens (stroke_width). None is
        left out; True is an attribute without a value.
    """
    # Safe as markup: names come from our code, values are escaped by `_attribute`, content by
    # `joined`.
    start = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    return Markup(start if name in _VOID else f"{start}{joined(content)}</{name}>")


def joined(content: Content) -> Markup:
    """Return texts and elements as one piece of markup."""
    if content is None:
        return Markup("")
    if isinstance(content, (str, int, float)):
        return markupsafe.escape(content)
    return Markup("").join(joined(each) for each in content)


def name_of_file(text: str) -> Markup:
    """Return a file's name as code that may be broken anywhere and does not turn the direction of
    what follows."""
    return element("code", text, class_="name")


def picture(content: bytes, *, alt: str, kind: str = "jpeg", **attributes: object) -> Markup:
    """Return an <img> that carries its picture file."""
    return element("img", src=data_uri(content, kind=kind), alt=alt, **attributes)


def data_uri(content: bytes, *, kind: str = "jpeg") -> str:
    """Return a picture file as the address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{markupsafe.escape(str(value))}"'
