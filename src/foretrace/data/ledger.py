"""A folder of shards that is filled unit by unit: what it is for, which units are done, what they held and lacked.

    ledger = Ledger(folder, tokenizer)
    ledger.claim({"max_tokens": 2048, …})            # the first run writes it, a later one must be for the same
    for number in ledger.missing(range(100)):
        ledger.finish(number, fates)                 # 00007.safetensors, then 00007.json
    ledger.total(range(100)).documents

A unit is a number and whatever is a function of it. It is done when its record is there, which is written after its
shards; so a run that is killed anywhere does its last unit again, and writes the same. What is held out for validation
goes to a folder beside, with `-validation` after its name.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from foretrace.data.kinds import Kind
from foretrace.data.shards import Document, shard_name, write_shard
from foretrace.data.tokenizer import FILE, Tokenizer
from foretrace.errors import FormatError, PipelineError, UsageError

PURPOSE = "purpose.json"
EXAMPLES = 10
"""Dropped items of a unit that are told one by one."""
_HALF_WRITTEN = re.compile(r"\.\d+\.(safetensors|json)\.\d+")


@dataclass(slots=True)
class Record:
    """What became of units; those of several are added up."""

    documents: int = 0
    tokens: int = 0
    held_out_documents: int = 0
    held_out_tokens: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """Tokens of each `Kind`, without those that are held out."""
    dropped: Counter[str] = field(default_factory=Counter)
    """How many inputs were left out for which reason."""
    examples: list[str] = field(default_factory=list)
    """Some of those, each with what is peculiar to it."""

    def add(self, other: "Record") -> None:
        """Adds another's."""
        for name in ("documents", "tokens", "held_out_documents", "held_out_tokens"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.kinds.update(other.kinds)
        self.dropped.update(other.dropped)
        self.examples += other.examples[: EXAMPLES - len(self.examples)]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"kinds": dict(self.kinds.most_common()), "dropped": dict(self.dropped.most_common())}


class Fates:
    """Gathers what becomes of the inputs of one unit."""

    def __init__(self) -> None:
        self.kept: list[Document] = []
        self.held_out: list[Document] = []
        self.dropped: Counter[str] = Counter()
        self.examples: list[str] = []

    def keep(self, document: Document, *, held_out: bool = False) -> None:
        """A document for training, or for validation."""
        (self.held_out if held_out else self.kept).append(document)

    def drop(self, reason: str, detail: str = "") -> None:
        """An input that is left out. `reason` is the same for all that are left out for it."""
        self.dropped[reason] += 1
        if detail and len(self.examples) < EXAMPLES:
            self.examples.append(f"{reason}: {detail}")

    def record(self) -> Record:
        """Their numbers."""
        counts = sum((np.bincount(d.kinds, minlength=len(Kind)) for d in self.kept), np.zeros(len(Kind), np.int64))
        kinds = Counter({kind.name.lower(): int(counts[kind]) for kind in Kind if counts[kind]})
        return Record(
            documents=len(self.kept),
            tokens=sum(map(len, self.kept)),
            held_out_documents=len(self.held_out),
            held_out_tokens=sum(map(len, self.held_out)),
            kinds=kinds,
            dropped=self.dropped,
            examples=self.examples,
        )


class Ledger:
    """The folder."""

    def __init__(self, folder: Path, tokenizer: Tokenizer) -> None:
        self.folder, self.tokenizer = folder, tokenizer
        self.validation = folder.with_name(folder.name + "-validation")

    def claim(self, purpose: Mapping[str, Any], *, alone: bool = True) -> None:
        """Says in the folder what it is for, and puts the tokenizer into it.

        Args:
            purpose: all that decides what a unit becomes, as JSON.
            alone: nobody else writes to it now, so what killed runs left can be removed.

        Raises:
            UsageError: it holds something else, or shards for another purpose; the message names what differs.
            PipelineError: it cannot be written.

        """
        own = json.loads(json.dumps({"tokenizer": self.tokenizer.fingerprint, **purpose}))
        file = self.folder / PURPOSE
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                self._open(own)
        except OSError as error:
            raise _unwritten(self.folder, error) from error
        try:
            there = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise FormatError(f"{file} is damaged: {error}; choose a new folder") from error
        different = sorted(name for name in {*own, *there} if own.get(name) != there.get(name))
        if different:
            raise UsageError(
                f"{self.folder} is being filled from others than these: {', '.join(different)}; "
                "give the same again to go on, or choose a new folder"
            )
        if alone:
            self._clean()

    def missing(self, numbers: Iterable[int]) -> list[int]:
        """The units that are not done."""
        return [number for number in numbers if not self._file(number).exists()]

    def finish(self, number: int, fates: Fates) -> Record:
        """Writes the shards of a unit, if it has documents, and then its record.

        Raises:
            PipelineError: they cannot be written.

        """
        record = fates.record()
        for folder, documents in ((self.folder, fates.kept), (self.validation, fates.held_out)):
            if documents:
                folder.mkdir(exist_ok=True)
                tokenizer = self.tokenizer
                file = folder / shard_name(number)
                write_shard(file, documents, vocab_size=tokenizer.vocab_size, tokenizer=tokenizer.fingerprint)
        _write(self._file(number), json.dumps(record.to_dict(), ensure_ascii=False) + "\n")
        return record

    def total(self, numbers: Iterable[int]) -> Record:
        """What became of these units, as far as they are done.

        Raises:
            FormatError: a record is damaged.

        """
        found = Record()
        for number in numbers:
            file = self._file(number)
            if file.exists():
                try:
                    content = json.loads(file.read_text(encoding="utf-8"))
                    content |= {name: Counter(content[name]) for name in ("kinds", "dropped")}
                    found.add(Record(**content))
                except (ValueError, KeyError, TypeError) as error:
                    raise FormatError(f"{file} is damaged: {error}; delete it, and the unit is done again") from error
        return found

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:05d}.json"

    def _open(self, purpose: Mapping[str, Any]) -> None:
        """Writes the purpose, unless somebody else does at the same time."""
        if any(not path.name.startswith((".", "tokenizer")) for path in self.folder.iterdir()):
            raise UsageError(f"{self.folder} holds something else already; choose a new folder")
        self.tokenizer.save(self.folder / FILE)
        temporary = self.folder / f".{PURPOSE}.{os.getpid()}"
        temporary.write_text(json.dumps(purpose, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        try:
            os.link(temporary, self.folder / PURPOSE)
        except FileExistsError:
            pass  # two began at once: the first one's stands
        finally:
            temporary.unlink()

    def _clean(self) -> None:
        for folder in (self.folder, self.validation):
            for path in folder.glob(".*"):
                if _HALF_WRITTEN.fullmatch(path.name):
                    path.unlink(missing_ok=True)


def _write(file: Path, text: str) -> None:
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _unwritten(file, error) from error


def _unwritten(path: Path, error: OSError) -> PipelineError:
    what = f"cannot write {path}: {error.strerror or error}"
    return PipelineError(f"{what}; what is done is whole: make room, then run the same again")


@lru_cache(maxsize=1)
def open_ledger(folder: Path, fingerprint: str) -> Ledger:
    """A folder that was claimed, with the tokenizer in it, which has that fingerprint; once a process."""
    ledger = Ledger(folder, Tokenizer.load(folder))
    assert ledger.tokenizer.fingerprint == fingerprint, f"{folder} was changed while it is being filled"
    return ledger
