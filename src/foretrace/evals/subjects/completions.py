"""Texts that a model said elsewhere, scored here; or those of a run, scored again.

    completions:texts.jsonl                              {"item": "sample_0", "text": "…"} a line, or with "texts": […]
    completions:RUN/cruxeval-o.direct/samples.jsonl      a run's own lines
    completions:samples.jsonl                            an official format: EvalPlus, LiveCodeBench, SWE-bench, CRUXEval

Official formats hold what was read from a text; ours hold whole texts. The n-th text of an item is its n-th sample. An item
without one was not answered, which counts as wrong.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from foretrace.corpus.jsonl import rows
from foretrace.errors import UsageError
from foretrace.evals.subjects import Request
from foretrace.evals.types import Answer, Sampling, Style

_FORM = '{"item": id, "text": text} or {"item": id, "texts": [texts]}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Completions:
    """What a file holds."""

    file: Path
    texts: Mapping[str, list[Answer]]
    """By item."""
    are_extracted: bool
    """Whether they are answers that were read from texts already."""
    kind = "completions"
    is_costly = False

    @classmethod
    def open(cls, file: str) -> "Completions":
        """Reads a file.

        Raises:
            UsageError: there is none, or it is in no format that is known.

        """
        path = Path(file)
        if not path.is_file():
            raise UsageError(f"there is no file of completions {file!r}; lines of one are {_FORM}")
        if _is_ours(path):
            return cls(file=path, texts=_read(path), are_extracted=False)
        from foretrace.evals.exports import read_completions

        answers = {item: [Answer(text=text) for text in texts] for item, texts in read_completions(path).items()}
        return cls(file=path, texts=answers, are_extracted=True)

    @property
    def samples(self) -> int:
        """The texts of the item that has most."""
        return max(map(len, self.texts.values()), default=1)

    @property
    def name(self) -> str:
        """The file's."""
        return f"completions:{self.file.name}"

    def describe(self) -> Mapping[str, Any]:
        """The file's digest."""
        return {"sha256": sha256(self.file.read_bytes()).hexdigest(), "settings": {"extracted": self.are_extracted}}

    def answer(self, requests: Iterable[Request], style: Style, sampling: Sampling) -> Iterator[tuple[Request, Answer]]:
        """Of each item its n-th text. Raises UsageError if the file has none of any."""
        asked = list(requests)
        if not any(request.item.id in self.texts for request in asked):
            there, wanted = next(iter(self.texts), "nothing"), asked[0].item.id if asked else ""
            raise UsageError(f"{self.file} is of other items: it has {there!r}, and wanted are such as {wanted!r}")
        for request in asked:
            texts = self.texts.get(request.item.id, [])
            found = texts[request.sample] if request.sample < len(texts) else Answer(text="")
            is_said = bool(found.text) and self.are_extracted
            yield request, Answer(text=style.write(found.text)) if is_said else found


def _is_ours(path: Path) -> bool:
    """Whether its first line is one of ours."""
    try:
        _, row = next(rows(path))
    except (UsageError, StopIteration):
        return False
    return isinstance(row.get("item"), str)


def _read(path: Path) -> dict[str, list[Answer]]:
    found: dict[str, dict[int, Answer]] = defaultdict(dict)
    for number, row in rows(path):
        item, texts = row.get("item"), row.get("texts", [row.get("raw", row.get("text"))])
        if not isinstance(item, str) or not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise UsageError(f"{path}, line {number}: wanted {_FORM}")
        first = row.get("sample", len(found[item]))  # a run has them in any order, and some twice
        if not isinstance(first, int):
            raise UsageError(f"{path}, line {number}: `sample` is no number")
        for sample, text in enumerate(texts, first):
            found[item][sample] = _answer(row, text)
    return {item: [texts[sample] for sample in sorted(texts)] for item, texts in found.items()}


def _answer(row: Mapping[str, Any], text: str) -> Answer:
    tokens, seconds = row.get("tokens"), row.get("seconds")
    return Answer(
        text=text,
        is_truncated=row.get("truncated") is True,
        seconds=float(seconds) if isinstance(seconds, int | float) else 0.0,
        tokens=tokens if isinstance(tokens, int) else 0,
        error=str(row.get("error") or ""),  # of a run: a server failed, and nothing is known of the model
    )
