"""Every source of programs behind one name: `subjects("toolz-1.2.0.tar.gz")`, `subjects("synthesised:1000@7")`.

What a source has but cannot give is told to `on_refusal`, so that yields can be reported.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from foretrace.corpus.contest import CONTEST_FORM, contest_programs, is_contest
from foretrace.corpus.harvest import harvest
from foretrace.corpus.jsonl import MODULE_FORM, PROGRAM_FORM, module_tree, programs_in, rows
from foretrace.corpus.refusals import Refused
from foretrace.corpus.short_functions import short_functions
from foretrace.corpus.synthesiser import programs
from foretrace.corpus.tree import ARCHIVE_SUFFIXES, read_tree
from foretrace.corpus.types import Origin, Subject
from foretrace.errors import UsageError

_COUNT = re.compile(r"(\d+)(?:@(\d+))?")
_FORMS = f"""a source is one of
  a directory, a .py file, a wheel or an sdist ({" ".join(ARCHIVE_SUFFIXES)}): its functions are harvested
  a .jsonl file of {PROGRAM_FORM},
      of {MODULE_FORM}, or of contest programs, {CONTEST_FORM}
  synthesised:COUNT or synthesised:COUNT@SEED, short:COUNT or short:COUNT@SEED"""


def subjects(
    spec: str, *, licence: str = "", on_refusal: Callable[[Refused], object] = lambda refused: None
) -> Iterator[Subject]:
    """Subjects of a source, always the same in the same order.

    Args:
        spec: a path, or `synthesised:COUNT@SEED` or `short:COUNT@SEED`; see `docs/corpus.md`.
        licence: SPDX expression for what does not tell its own.
        on_refusal: called with what is not used and why.

    Raises:
        UsageError: there is no such source, or a line of a file is not of its form. Of a wrong `spec`, at once.

    """
    return _used(_source(spec, licence), licence, on_refusal)


def _used(found: Iterator[Subject | Refused], licence: str, on_refusal: Callable[[Refused], object]) -> Iterator[Subject]:
    for subject in found:
        if isinstance(subject, Refused):
            on_refusal(subject)
        elif licence and subject.origin.licence == "unknown":
            yield replace(subject, origin=replace(subject.origin, licence=licence))
        else:
            yield subject


def _source(spec: str, licence: str) -> Iterator[Subject | Refused]:
    kind, colon, rest = spec.partition(":")
    if kind in _MADE and colon:
        return _made(spec, kind, rest)
    path = Path(spec)
    if not path.exists():
        raise UsageError(f"{spec}: no such file or directory; {_FORMS}")
    if path.suffix == ".jsonl" and path.is_file():
        return _lines(path, licence)
    if path.is_dir() or path.name.endswith((".py", *ARCHIVE_SUFFIXES)):
        return harvest(read_tree(path))
    raise UsageError(f"{spec}: what this holds is not known; {_FORMS}")


def _lines(path: Path, licence: str) -> Iterator[Subject | Refused]:
    """Whichever form the first line has."""
    number, first = next(rows(path), (0, None))
    if first is None:
        raise UsageError(f"{path}: the file is empty; {_FORMS}")
    if is_contest(first):
        return contest_programs(path, licence)
    if "path" in first and "source" in first:
        return harvest(module_tree(path, licence))
    if "code" in first:
        return programs_in(path, licence)
    fields = ", ".join(sorted(first)) or "none"
    raise UsageError(f"{path}, line {number}: fields of no form that is known ({fields}); {_FORMS}")


def _made(spec: str, kind: str, rest: str) -> Iterator[Subject]:
    match = _COUNT.fullmatch(rest)
    if not match:
        raise UsageError(f"{spec}: not a count and a seed, such as {kind}:1000@7; {_FORMS}")
    count, seed = int(match[1]), int(match[2] or 0)
    origin = Origin(kind="synthesised", name=f"{kind}@{seed}", licence="Apache-2.0")
    found = islice(_MADE[kind](seed), count)
    return (Subject(source=source, entry=entry, origin=origin, calls=calls) for source, entry, calls in found)


def _synthesised(seed: int) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    return ((program.source, program.entry, (program.arguments,)) for program in programs(seed))


def _short(seed: int) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for function in short_functions(seed):
        yield function.source, function.entry, tuple(arguments for arguments, _ in function.examples)


_MADE = {"synthesised": _synthesised, "short": _short}
"""What is made here, endlessly: sources, entries and calls, of seeds from one on."""
