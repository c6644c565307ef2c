"""Progress bars on standard error; where that is no terminal, nothing moves."""

from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from foretrace.data.quantities import short

_LIVE = 84
"""Cells that a step's line takes without a bar."""
_PLACE = ("tokens", "seconds", "stage")
"""Fields of a record that tell where a run is, which its step does, too."""


class Bar:
    """A bar for long work, called with (done, wanted); gone when the work is done."""

    def __init__(self, title: str, *, width: int = 40, remember: float = 30.0) -> None:
        """`width`: of the bar itself, none if 0; `remember`: seconds of the past that tell how long the rest will take."""
        self.console = Console(stderr=True)
        bar = [BarColumn(width)] if width else []
        columns = (TextColumn("{task.description}"), *bar, MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=self.console, transient=True, speed_estimate_period=remember)
        self._task = self._progress.add_task(title, total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, done: int, wanted: int) -> None:
        """Shows that so much is done."""
        self._progress.update(self._task, completed=done, total=wanted)

    def restart(self, done: int, wanted: int) -> None:
        """Shows that so much is done already; how long the rest will take is judged from now on."""
        self._progress.reset(self._task, completed=done, total=wanted)

    def describe(self, title: str) -> None:
        """Changes what stands before the bar."""
        self._progress.update(self._task, description=title)


class TrainingBar(Bar):
    """Shows the records of a recipe: data as it is made, then steps in one line; what else is reported stays as a line."""

    def __init__(self) -> None:
        room = Console(stderr=True).width - _LIVE
        super().__init__("starting", width=max(0, min(room, 24)), remember=1800.0)
        self._stage, self._steps, self._running = "", 0, False

    def report(self, record: dict[str, Any]) -> None:
        """Takes a record as `recipes.run` reports it."""
        if "shards" in record:
            self.describe(_making(record))
            self(record["shards"], record["of"])
        elif "steps" in record:
            self._stage, self._steps, self._running = record["stage"], record["steps"], False
            self.describe(self._stage)
            self.restart(0, self._steps)
        elif "loss" in record:
            self._step(record)
        else:
            self._say(_told(record))

    def _step(self, record: dict[str, Any]) -> None:
        """The live line; where nothing moves, a line a record."""
        self.describe("  ".join([self._stage, *_measured(record)]))
        advance = self if self._running else self.restart  # a run that is taken up begins at a later step
        advance(record["step"], self._steps)
        self._running = True
        if not self.console.is_terminal:
            self._say("  ".join([f"step {record['step']:,}/{self._steps:,}", *_measured(record)]))

    def _say(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True, markup=False, emoji=False)


def _making(record: dict[str, Any]) -> str:
    return " ".join(f"{verb} {record[verb]}" for verb in ("making", "packing") if verb in record)


def _measured(record: dict[str, Any]) -> list[str]:
    """What a step did: `loss 0.512`, `1.93 M tokens`, `8,012 tokens/s`, `MFU 41%`."""
    told = [f"loss {_number(record['loss'])}"]
    told += [f"{short(record['tokens'])} tokens"] if "tokens" in record else []
    told += [f"{record['tokens_per_second']:,.0f} tokens/s"] if "tokens_per_second" in record else []
    return told + ([f"MFU {record['mfu']:.0%}"] if record.get("mfu") else [])


def _told(record: dict[str, Any]) -> str:
    """A record in words: `step 200  val_loss 0.093`; of a sample the first difference; the parts of losses are left out."""
    if isinstance(record.get("sample"), dict):
        return f"step {record['step']:,}  {_sample(record['sample'])}"
    plain = {key: value for key, value in record.items() if not isinstance(value, dict) and key not in _PLACE}
    return "  ".join(f"{key} {_number(value)}" for key, value in (plain if "step" in record else record).items())


def _sample(sample: dict[str, Any]) -> str:
    difference = sample["first_difference"]
    if difference is None:
        return f"sample: all {len(sample['real'])} frames right"
    return f"sample: frame {difference['at']} ⇢ {difference['predicted'] or '(ended)'}   = {difference['real']}"


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
