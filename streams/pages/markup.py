"""HTML and inline SVG, built from elements: whatever text comes in is escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from xml.etree.ElementTree import Element, tostring

from streams.pages.style import STYLE

Inside = Element | str | None
#: Pictures that stand in the page are shown, and nothing else.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def tag(name: str, /, *inside: Inside, **attributes: object) -> Element:
    """An element with what is in it; None is left out. ``class_`` is class, ``stroke_width`` is stroke-width.

    >>> text_of(tag("p", "1 < 2 ", tag("b", "& so"), " on", class_="told"))
    '<p class="told">1 &lt; 2 <b>&amp; so</b> on</p>'
    """
    named = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    element = Element(name, {name: _harmless(_number(value)) for name, value in named.items()})
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


def document(title: str, *inside: Inside) -> str:
    """A whole page. Whatever stands in the data: nothing is loaded and no script runs."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("title", title),
        tag("style", STYLE),
    )
    return "<!doctype html>\n" + text_of(tag("html", head, tag("body", tag("main", *inside)), lang="en")) + "\n"


def section(name: str, title: str, *inside: Inside) -> Element:
    """A part of a page with a heading."""
    return tag("section", tag("h2", title, id=name), *inside, aria_labelledby=name)


def tiles(*told: tuple[str, str]) -> Element:
    """Numbers large, each with what it is."""
    return tag("dl", *(tag("div", tag("dd", number), tag("dt", what)) for what, number in told), class_="tiles")


def beside(drawn: Element, marks: Element | None, made: Element) -> Element:
    """A picture with its key, and a table next to it."""
    return tag("div", tag("figure", drawn, marks), made, class_="beside")


def legend(*entries: tuple[str, str]) -> Element:
    """What the colours and marks of a picture stand for: (class, words)."""
    marks = (tag("li", tag("span", class_=f"mark {class_}", aria_hidden="true"), says) for class_, says in entries)
    return tag("ul", *marks, class_="key")


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


def scale(low: float, high: float, start: float, stop: float) -> Callable[[float], float]:
    """Where a value between ``low`` and ``high`` is drawn between ``start`` and ``stop``."""
    return lambda value: start + (stop - start) * (value - low) / (high - low)


def through(places: Iterable[tuple[float, float]]) -> str:
    """Places as the points of a line."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def line(x1: float, y1: float, x2: float, y2: float, **attributes: object) -> Element:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)


def text(x: float, y: float, says: str, **attributes: object) -> Element:
    """A text at a place."""
    return tag("text", says, x=float(x), y=float(y), **attributes)


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _harmless(text: str) -> str:
    """What HTML has no place for is shown as such."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
