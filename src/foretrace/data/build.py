"""Builds shards from the synthesiser: program, execution, trace, tokens. Resumable, one process a core.

A shard is a pure function of its number and the configuration, so shards can be made in any order on any number of
machines, a killed build goes on by making the shards that are missing, and nothing is lost or doubled.

    build(BuildConfig(out=Path("shards"), shards=40), tokenizer)
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from foretrace.corpus import Decontaminator, Program, synthesise
from foretrace.data.render import render
from foretrace.data.shards import Document, shard_name, write_shard
from foretrace.data.tokenizer import Tokenizer
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
    """Makes the shards that are missing; returns how many documents were kept, and dropped for which reason.

    Args:
        progress: called with (shards done, shards wanted).

    """
    config.out.mkdir(parents=True, exist_ok=True)
    numbers = range(config.first_shard, config.first_shard + config.shards)
    missing = [n for n in numbers if not (config.out / shard_name(n)).exists()]
    totals: Counter[str] = Counter()
    done = config.shards - len(missing)
    with ProcessPoolExecutor(config.workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_build_shard, n, config, tokenizer.pieces) for n in missing]
        for job in as_completed(jobs):
            totals += Counter(job.result())
            done += 1
            if progress:
                progress(done, config.shards)
    return totals


def _build_shard(number: int, config: BuildConfig, pieces: tuple[str, ...]) -> dict[str, int]:
    """Makes one shard; returns counts by fate. A small file beside it keeps them."""
    tokenizer = Tokenizer(pieces)
    fates: Counter[str] = Counter()
    documents = list(islice(_documents(number, config, tokenizer, fates), config.documents_per_shard))
    write_shard(config.out / shard_name(number), documents)
    fates["tokens"] = sum(len(d) for d in documents)
    (config.out / f"{number:05d}.json").write_text(json.dumps(dict(fates)) + "\n", encoding="utf-8")
    return dict(fates)


def _documents(number: int, config: BuildConfig, tokenizer: Tokenizer, fates: Counter[str]) -> Iterator[Document]:
    """Documents of shard `number`, counting the fate of every program in `fates`."""
    decontaminator = Decontaminator(config.forbidden)
    limits = Limits(seconds=1.0, max_events=config.max_events, max_bytes=40_000)
    seen: set[str] = set()
    for seed in range(number * SEEDS_PER_SHARD, (number + 1) * SEEDS_PER_SHARD):
        program = synthesise(seed)
        fate, document = _document(program, limits, decontaminator, tokenizer, config.max_tokens)
        if document is not None and (program.source + program.arguments) in seen:
            fate, document = "duplicate", None
        seen.add(program.source + program.arguments)
        fates[fate] += 1
        if document is not None:
            yield document


def _document(
    program: Program, limits: Limits, decontaminator: Decontaminator, tokenizer: Tokenizer, max_tokens: int
) -> tuple[str, Document | None]:
    """The fate of a program and, if it is `kept`, its document."""
    if decontaminator.overlaps(program.source):
        return "contaminated", None
    try:
        trace = record_program(program.source, program.entry, program.arguments, limits)
    except (RecordError, UsageError):
        return "unrunnable", None
    if trace.header.outcome is Outcome.TRUNCATED:
        return "truncated", None
    if _was_cut(trace):
        return "value cut", None
    document = render(tokenizer, trace, max_tokens)
    return ("kept", document) if document is not None else ("too long", None)


def _was_cut(trace: Trace) -> bool:
    """Whether the renderer left out part of a value: such a state cannot be computed with."""
    return any("…" in text for frame in trace.frames for text in (*frame.state.values(), frame.value or ""))
