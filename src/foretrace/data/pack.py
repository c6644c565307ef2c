"""From any training material to shards: reads the sources, makes documents of them, and tells what was left out.

    job = PackJob(sources=(Path("traces"),), out=Path("shards"), max_tokens=4096, validation=0.01)
    record = pack(job, Tokenizer.load(Path("runs/small")), workers=8)
    record.tokens, record.dropped

Sources are cut into units (`units.py`), and a unit becomes the shard of its number, on whatever machine, whenever: the
bytes depend on the sources, the tokenizer and the job alone. A run that was killed is begun again by the same call,
which makes what is missing.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from foretrace.data.chat import Message, Thinking
from foretrace.data.ledger import Fates, Ledger, Record, open_ledger
from foretrace.data.reading import Example, Refused, read
from foretrace.data.render import render, render_chat, render_narration, render_text
from foretrace.data.shards import Document
from foretrace.data.special import ChatToken, Special
from foretrace.data.tokenizer import Tokenizer
from foretrace.data.units import Material, Unit, digests, find_units
from foretrace.data.workers import Workers
from foretrace.errors import FormatError, UsageError
from foretrace.trace import Token

Progress = Callable[[int, int, Record], None]
"""Called with units done and units wanted, and what this run has made so far."""

_NEEDED: dict[Material, tuple[Special, ...]] = {
    "trace": tuple(Token),
    "narration": (Token.BEGIN_OF_TEXT, Token.END_OF_TEXT),
    "text": (Token.BEGIN_OF_TEXT, Token.END_OF_TEXT),
    "chat": (Token.BEGIN_OF_TEXT, *ChatToken),
}
"""The special tokens that each can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackJob:
    """What becomes of which sources."""

    sources: tuple[Path, ...]
    out: Path
    material: Material | None = None
    """What documents are made of; by default what each source looks like."""
    max_tokens: int | None = None
    """Of a document. A trace or a narration that is longer is dropped, a text is cut into pieces, of a chat as many
    whole messages are kept as fit. By default any length is right, and it is for the loader to cut."""
    validation: float = 0.0
    """Share of programs (of texts; of questions) that are held out, in a folder beside, each with all made of it."""
    context: bool = False
    """Programs and arguments are learnt too, as in pre-training."""
    observations: bool = True
    """What tools answer in a chat is learnt, as by a model of the world."""
    thinking: Thinking = "token"
    """How thoughts in a chat are marked."""
    part: tuple[int, int] = (1, 1)
    """Which of how many equal parts of the units this run makes, for several machines and one folder."""

    def __post_init__(self) -> None:
        number, parts = self.part
        if not 1 <= number <= parts:
            raise UsageError(f"there is no part {number} of {parts}; they are 1 to {parts}")
        if self.max_tokens is not None and self.max_tokens < 2:
            raise UsageError(f"a document has one token to predict from and one to predict at least: not {self.max_tokens}")
        if not 0 <= self.validation < 1:
            raise UsageError(f"the share that is held out is at least 0 and less than 1: not {self.validation}")

    def purpose(self, units: list[Unit]) -> dict[str, Any]:
        """What decides the content of the shards, for the ledger."""
        options = ("material", "max_tokens", "validation", "context", "observations", "thinking")
        return {**{name: getattr(self, name) for name in options}, "sources": digests(units)}


def pack(job: PackJob, tokenizer: Tokenizer, *, workers: int = 1, progress: Progress | None = None) -> Record:
    """Makes the shards that are missing; returns what became of all units of the job's part.

    Raises:
        UsageError: a source is missing or of another kind, the folder is for something else, or the tokenizer lacks a
            special token.
        FormatError: a Parquet file is damaged.
        PipelineError: a shard cannot be written, or processes were killed again and again.

    """
    units = find_units(job.sources, job.material)
    for material in {unit.material for unit in units}:
        for token in _NEEDED[material]:
            tokenizer.id_of(token)
    ledger = Ledger(job.out, tokenizer)
    ledger.claim(job.purpose(units), alone=job.part[1] == 1)
    number, parts = job.part
    numbers = range(number - 1, len(units), parts)
    missing = ledger.missing(numbers)
    made, done = Record(), len(numbers) - len(missing)
    with Workers(min(workers, len(missing))) as run:
        for record in run(partial(_pack_unit, job, tokenizer.fingerprint), [(at, units[at]) for at in missing]):
            made.add(record)
            done += 1
            if progress:
                progress(done, len(numbers), made)
    return ledger.total(numbers)


def _pack_unit(job: PackJob, fingerprint: str, numbered: tuple[int, Unit]) -> Record:
    """Makes the shard of one unit."""
    number, unit = numbered
    ledger, fates = open_ledger(job.out, fingerprint), Fates()
    for found in read(unit):
        if isinstance(found, Refused):
            fates.drop(found.reason, f"{found.where}: {found.detail}" if found.detail else "")
        else:
            _take(found, unit.material, job, ledger.tokenizer, fates)
    return ledger.finish(number, fates)


def _take(example: Example, material: Material, job: PackJob, tokenizer: Tokenizer, fates: Fates) -> None:
    """Keeps the documents of an example, or says why there are none."""
    try:
        documents = _documents(example, material, job, tokenizer)
    except FormatError as error:
        fates.drop(f"damaged {material}", f"{example.where}: {error}")
        return
    if not documents:
        fates.drop("nothing in it to predict" if material == "chat" else "too long")
    held_out = is_held_out(example.group, job.validation)
    for document in documents:
        fates.keep(document, held_out=held_out)


def _documents(example: Example, material: Material, job: PackJob, tokenizer: Tokenizer) -> list[Document]:
    content: Any = example.content
    if material == "text":
        return render_text(tokenizer, content, job.max_tokens)
    if material == "trace":
        document = render(tokenizer, content, job.max_tokens, context=job.context)
    elif material == "narration":
        source, narration = cast(tuple[str, str], content)
        document = render_narration(tokenizer, source, narration, job.max_tokens, context=job.context)
    else:
        messages = cast(tuple[Message, ...], content)
        document = render_chat(tokenizer, messages, job.max_tokens, thinking=job.thinking, observations=job.observations)
    return [document] if document is not None else []


def is_held_out(group: str, share: float) -> bool:
    """Whether what is made of `group` is for validation; about `share` of all groups are."""
    digest = hashlib.sha256(group.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
