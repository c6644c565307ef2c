"""What a run tells: `run.json` says what it is, `metrics.jsonl` what it did, `samples.jsonl` what it wrote on its own.

Dashboards get what `metrics.jsonl` gets, if the run names one.

    journal = Journal(folder, config, description, step=0, report=print)
    journal.write({"step": 10, "loss": 0.4})
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from foretrace.train.samples import SAMPLES
from foretrace.train.sinks import METRICS, JsonLines, cut, open_sinks

RUN = "run.json"
Report = Callable[[dict[str, Any]], None]


class Journal:
    """The records of one stage, from `step` on."""

    def __init__(
        self, folder: Path, sinks: Sequence[str], description: Mapping[str, Any], step: int, report: Report | None
    ) -> None:
        for name in (METRICS, SAMPLES):
            cut(folder / name, step)
        text = json.dumps(description, indent=1, default=str)
        (folder / RUN).write_text(text + "\n", encoding="utf-8")
        self._sinks = open_sinks(sinks, folder, json.loads(text), step)
        self._folder, self._report = folder, report

    def write(self, record: dict[str, Any]) -> None:
        """Passes a record on to all."""
        for sink in self._sinks:
            sink.write(record)
        if self._report:
            self._report(record)

    def sample(self, records: Sequence[dict[str, Any]]) -> None:
        """Keeps what the model wrote on its own."""
        with closing(JsonLines(self._folder / SAMPLES)) as lines:
            for record in records:
                lines.write(record)
                if self._report:
                    self._report(record)

    def close(self) -> None:
        """Passes on what dashboards hold back."""
        for sink in self._sinks:
            sink.close()


def known_hardware(folder: Path) -> dict[str, Any] | None:
    """What an earlier part of the run found the hardware to be."""
    try:
        found = json.loads((folder / RUN).read_text(encoding="utf-8"))["hardware"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) and "measured_peak" in found else None
