"""HTML and inline SVG, built from elements: whatever text comes in is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

Inside = Element | str | None


def tag(name: str, /, *inside: Inside, **attributes: object) -> Element:
    """An element with what is in it; None is left out. ``class_`` is class, ``stroke_width`` is stroke-width.

    >>> text_of(tag("p", "1 < 2 ", tag("b", "& so"), " on", class_="told"))
    '<p class="told">1 &lt; 2 <b>&amp; so</b> on</p>'
    """
    named = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    element = Element(name, {name: _number(value) for name, value in named.items()})
    for each in inside:
        if each is None:
            continue
        if not isinstance(each, str):
            element.append(each)
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + _harmless(each)
        else:
            element.text = (element.text or "") + _harmless(each)
    return element


def text_of(element: Element) -> str:
    """An element as HTML."""
    return tostring(element, encoding="unicode", method="html")


def table(head: Iterable[str], rows: Iterable[Iterable[str]], caption: str) -> Element:
    """A table whose first column names its rows; it scrolls by itself where the screen is narrower."""
    body = [
        tag("tr", *(tag("td", cell) if i else tag("th", cell, scope="row") for i, cell in enumerate(row)))
        for row in rows
    ]
    names = tag("tr", *(tag("th", name, scope="col") for name in head))
    made = tag("table", tag("caption", caption), tag("thead", names), tag("tbody", *body))
    return tag("div", made, class_="scrolls", tabindex=0, role="region", aria_label=caption)


def picture(name: str, title: str, told: str, width: float, height: float, *inside: Inside) -> Element:
    """An SVG as wide as there is room; ``title`` and ``told`` are what those hear who do not see it."""
    ids = f"{name}-title {name}-told"
    about = tag("title", title, id=f"{name}-title"), tag("desc", told, id=f"{name}-told")
    box = {"viewBox": f"0 0 {width:g} {height:g}"}
    return tag("svg", *about, *inside, role="img", aria_labelledby=ids, **box)


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _harmless(text: str) -> str:
    """What HTML has no place for is shown as such."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
