"""Classes of trace length, by which results are told apart: `length_class(23)` is `21-40`."""

_BOUNDS = ((1, 5), (6, 10), (11, 20), (21, 40), (41, 80))


def length_class(frames: int) -> str:
    """The class of a trace of so many frames."""
    for low, high in _BOUNDS:
        if frames <= high:
            return f"{low}-{high}"
    return f"over {_BOUNDS[-1][1]}"
