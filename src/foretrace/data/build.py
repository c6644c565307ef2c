"""Builds shards from the synthesiser: program, execution, trace, tokens. Resumable, one process a core.

    build(BuildConfig(out=Path("shards"), shards=40), tokenizer)

A shard is a pure function of its number and the configuration. Nothing is written in between, and programs run once in
one process; so this is some four times faster than a dataset (`foretrace data make`) that is then packed, but there is
nothing to look at, and one trace a program.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from foretrace.corpus import Decontaminator, Program, synthesise
from foretrace.corpus.types import digest
from foretrace.data.ledger import Fates, Ledger, open_ledger
from foretrace.data.render import render
from foretrace.data.shards import Document
from foretrace.data.tokenizer import Tokenizer
from foretrace.data.workers import Workers
from foretrace.errors import RecordError, UsageError
from foretrace.record import record_program
from foretrace.trace import Limits, Outcome, Trace

SEEDS_PER_SHARD = 1 << 20
"""Shard n draws its programs from seeds n * SEEDS_PER_SHARD on, so shards never share a program's seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildConfig:
    """One folder of shards."""

    out: Path
    shards: int = 8
    documents_per_shard: int = 4096
    first_shard: int = 0
    """Number of the first shard; another range of numbers is another set of programs (validation has its own)."""
    max_tokens: int = 1536
    """Longer documents are dropped, never cropped."""
    max_events: int = 200
    workers: int = 2
    forbidden: tuple[str, ...] = ()
    """Sources that nothing in the shards may resemble: benchmark programs."""


def build(config: BuildConfig, tokenizer: Tokenizer, progress: Callable[[int, int], None] | None = None) -> Counter[str]:
    """Makes the shards that are missing; returns what became of the programs of all: `kept`, why not, and `tokens`.

    Args:
        config: what is wanted.
        tokenizer: gives the ids.
        progress: called with (shards done, shards wanted).

    Raises:
        UsageError: the folder is for something else.
        PipelineError: a shard cannot be written, or processes were killed again and again.

    """
    ledger = Ledger(config.out, tokenizer)
    decided = {name: getattr(config, name) for name in ("documents_per_shard", "max_tokens", "max_events")}
    ledger.claim(decided | {"forbidden": digest(*config.forbidden)})
    numbers = range(config.first_shard, config.first_shard + config.shards)
    missing = ledger.missing(numbers)
    done = len(numbers) - len(missing)
    with Workers(min(config.workers, len(missing))) as run:
        for _ in run(partial(_build_shard, config, tokenizer.fingerprint), missing):
            done += 1
            if progress:
                progress(done, config.shards)
    total = ledger.total(numbers)
    return Counter({"kept": total.documents, "tokens": total.tokens, **total.dropped})


def _build_shard(config: BuildConfig, fingerprint: str, number: int) -> None:
    """Makes one shard."""
    ledger, fates = open_ledger(config.out, fingerprint), Fates()
    decontaminator = Decontaminator(config.forbidden)
    seen: set[str] = set()
    for seed in range(number * SEEDS_PER_SHARD, (number + 1) * SEEDS_PER_SHARD):
        program = synthesise(seed)
        fate, document = _document(program, config, decontaminator, ledger.tokenizer)
        if document is not None and (program.source + program.arguments) in seen:
            fate, document = "duplicate", None
        seen.add(program.source + program.arguments)
        if document is None:
            fates.drop(fate)
            continue
        fates.keep(document)
        if len(fates.kept) == config.documents_per_shard:
            break
    ledger.finish(number, fates)


def _document(
    program: Program, config: BuildConfig, decontaminator: Decontaminator, tokenizer: Tokenizer
) -> tuple[str, Document | None]:
    """The document of a program, or why there is none."""
    if decontaminator.overlaps(program.source):
        return "contaminated", None
    limits = Limits(seconds=1.0, max_events=config.max_events, max_bytes=40_000)
    try:
        trace = record_program(program.source, program.entry, program.arguments, limits)
    except (RecordError, UsageError):
        return "unrunnable", None
    if trace.header.outcome is Outcome.TRUNCATED:
        return "truncated", None
    if _was_cut(trace):
        return "value cut", None
    return "too long", render(tokenizer, trace, config.max_tokens)


def _was_cut(trace: Trace) -> bool:
    """Whether the renderer left out part of a value: such a state cannot be computed with."""
    return any("…" in text for frame in trace.frames for text in (*frame.state.values(), frame.value or ""))
