"""The few elements of SVG that plots are made of; colours and fonts come from classes.

svg(520, 210, line(0, 0, 520, 0, "grid"), text(6, 12, "loss", "start"))
"""

from foretrace.data.markup import Markup, tag


def svg(width: float, height: float, /, *children: Markup, **attributes: str | float | None) -> Markup:
    """A plot of `width` by `height`, which grows with the room it is given."""
    return tag("svg", *children, viewBox=f"0 0 {width} {height}", class_="plot", role="img", **attributes)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A straight line; `kind` is its class."""
    return tag("line", x1=round(x1, 1), y1=round(y1, 1), x2=round(x2, 1), y2=round(y2, 1), class_=kind)


def text(x: float, y: float, words: str, anchor: str, kind: str | None = None) -> Markup:
    """Words on the line at `y`; `anchor` is start, middle or end."""
    return tag("text", words, x=round(x, 1), y=round(y, 1), text_anchor=anchor, class_=kind)
