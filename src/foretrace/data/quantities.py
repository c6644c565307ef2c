"""Amounts for people.

size(1_962_103), short(1_926_296)                                   # '2.0 MB', '1.93 M'
"""


def size(count: float) -> str:
    """Bytes: `2.0 MB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 999.95:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def short(count: float) -> str:
    """A number in about three digits; a small whole one as it is."""
    if count < 10_000:
        return f"{count:,.0f}" if count == int(count) else f"{count:,.1f}"
    for unit in ("k", "M", "G"):
        count /= 1000
        if count < 999.5:
            return f"{count:.3g} {unit}"
    return f"{count / 1000:,.3g} T"
