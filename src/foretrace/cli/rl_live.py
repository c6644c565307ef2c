"""A run of reinforcement learning as it goes: a table on standard error; where that is no terminal, a line an update."""

from collections import deque
from collections.abc import Iterator
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

_BLOCKS = "▁▂▃▄▅▆▇█"
_REMEMBERED = 400
_WIDTH = 40
SHOWN = {
    "reward": "reward",
    "solved": "solved",
    "held_out": "held out",
    "dropped.zero advantage": "zero advantage",
    "entropy": "entropy",
    "clipped": "clipped",
    "max_lag": "lag, most",
    "mismatch": "mismatch",
    "length": "length",
    "max_length": "length, most",
    "cut": "cut off",
    "waited": "learner waits",
    "seconds_per_update": "seconds",
}
"""Metrics by the name of their field, in the order of their rows; those of a mapping have a row each."""
_SHARES = ("solved", "held_out", "dropped", "clipped", "cut", "waited")


class LiveRun:
    """Shows records of a run as they come."""

    def __init__(self, updates: int) -> None:
        """`updates`: of the whole run."""
        self._updates, self._console = updates, Console(stderr=True, highlight=False)
        self._values: dict[str, deque[float]] = {}
        self._step, self._stage = 0, ""
        self._live = Live(console=self._console, get_renderable=self._table, refresh_per_second=2, transient=False)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def report(self, record: dict[str, Any]) -> None:
        """Takes a record as a run writes it."""
        self._step, self._stage = record["step"], record.get("stage", "")
        found = dict(_flat(record))
        for name, value in found.items():
            self._values.setdefault(name, deque(maxlen=_REMEMBERED)).append(value)
        if not self._console.is_terminal:
            told = "  ".join(f"{_title(name)} {_number(name, found[name])}" for name in self._rows() if name in found)
            self._console.print(
                f"update {self._step:,}/{self._updates:,}  {self._stage} {told}", soft_wrap=True, markup=False
            )

    def _rows(self) -> list[str]:
        """Names of the rows that there is something for."""
        return [name for shown in SHOWN for name in self._values if name == shown or name.startswith(f"{shown}.")]

    def _table(self) -> Table:
        title = f"update {self._step:,} of {self._updates:,}" + (f", {self._stage}" if self._stage else "")
        table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for name, justify in (("", "left"), ("", "left"), ("first", "right"), ("mean of 10", "right"), ("last", "right")):
            table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
        for name in self._rows():
            values = list(self._values[name])
            numbers = (values[0], sum(values[-10:]) / len(values[-10:]), values[-1])
            table.add_row(_title(name), sparkline(values), *(_number(name, value) for value in numbers))
        return table


def sparkline(values: list[float], width: int = _WIDTH) -> str:
    """The last values as blocks, from the least of them to the most."""
    some = values[-width:]
    low, high = min(some), max(some)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[round((value - low) * scale)] for value in some)


def _flat(record: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Numbers of a record; those of mappings by both names."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from ((f"{name.removesuffix('_by_environment')}.{part}", float(inner)) for part, inner in value.items())
        elif isinstance(value, int | float):
            yield name, float(value)


def _title(name: str) -> str:
    whole = next(shown for shown in SHOWN if name == shown or name.startswith(f"{shown}."))
    return SHOWN[whole] + (f" · {name[len(whole) + 1 :]}" if name != whole else "")


def _number(name: str, value: float) -> str:
    return f"{value:.1%}" if name.split(".")[0] in _SHARES else f"{value:.4g}"
