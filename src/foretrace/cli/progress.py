"""Progress bars on standard error; where that is no terminal, nothing moves."""

from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """A bar for long work, called with (done, wanted); gone when the work is done."""

    def __init__(self, title: str) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.console = Console(stderr=True)
        self._progress = Progress(*columns, console=self.console, transient=True)
        self._task = self._progress.add_task(title, total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, done: int, wanted: int) -> None:
        """Shows that so much is done."""
        self._progress.update(self._task, completed=done, total=wanted)

    def describe(self, title: str) -> None:
        """Changes what stands before the bar."""
        self._progress.update(self._task, description=title)


class TrainingBar(Bar):
    """Shows the records of a run: shards as they are made, then steps; every other record is a line that stays."""

    def __init__(self, steps: int) -> None:
        super().__init__("data")
        self._steps = steps

    def report(self, record: dict[str, Any]) -> None:
        """Takes a record as `recipes.run` reports it."""
        if "shards" in record:
            self(record["shards"], record["of"])
            return
        if "loss" in record:
            self.describe(f"loss {record['loss']:.3f}  {record['tokens_per_second']:,.0f} tokens/s")
            self(record["step"], self._steps)
            if self.console.is_terminal:
                return
        shown = (f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in record.items())
        self.console.print("  ".join(shown), highlight=False, soft_wrap=True)
