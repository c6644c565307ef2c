"""HTML that cannot be broken by what is put in it: text is escaped unless `tag` made it.

tag("p", "1 < 2 ", tag("b", name), id="first")

What a dataset holds is other people's text: `</script>`, control characters, code shown in another order than it runs.
"""

from html import escape

from foretrace.data.printable import printable

_VOID = ("meta",)
"""Elements that have no end."""


class Markup(str):
    """Text that is HTML already; only this module and constants make it."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str | float | None) -> Markup:
    """An element.

    Args:
        name: of the element.
        children: HTML if they are `Markup`, else text.
        attributes: a trailing underline is cut off, others become hyphens; None leaves one out.

    """
    stated = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(printable(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    ending = "" if name in _VOID else f"</{name}>"
    return Markup(f"<{name}{stated}>{join(*children)}{ending}")


def join(*children: str) -> Markup:
    """Pieces one after the other."""
    return Markup("".join(child if isinstance(child, Markup) else escape(printable(child)) for child in children))
