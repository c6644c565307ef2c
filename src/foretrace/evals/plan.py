"""What is to be measured, and how a run's manifest tells it.

    plan = Plan.of("cruxeval-o:direct", limit=100)
    description = describe(plan, items)             # of one part: settings, data, what must be said beside the number
    check_same(before, description)                 # a run goes on only as what it began as

Two runs can be compared where `items_sha256` is the same.
"""

import hashlib
import json
import platform
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from foretrace import __version__
from foretrace.errors import UsageError
from foretrace.evals.benchmarks import find_style
from foretrace.evals.folder import MANIFEST, VERSION, Run
from foretrace.evals.judging import isolation_of
from foretrace.evals.subjects import Subject
from foretrace.evals.types import Benchmark, Item, Options, Sampling, Setting, Style

_PACKAGES = ("numpy", "math-verify", "torch", "httpx", "tokenizers")
"""Whose versions may change an answer or a verdict."""
_CHOICES = {"window": "--window", "seed": "--items-seed", "count": "--count"}
"""Of `Options`, as the command line has them."""
_INSTEAD = {"count": ", and take the first N of them: --limit N"}
_FIXED = ("benchmark", "style", "setting", "items_sha256", "questions_sha256")
"""What of a part never changes; of its sampling all but the number of samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One benchmark in one style."""

    benchmark: Benchmark
    style: str
    sampling: Sampling
    options: Options = field(default_factory=Options)
    setting: Setting = field(default_factory=Setting)
    limit: int | None = None
    """Only the first so many items."""

    @classmethod
    def of(
        cls,
        name: str,
        *,
        options: Options | None = None,
        setting: Setting | None = None,
        limit: int | None = None,
        **sampling: Any,
    ) -> "Plan":
        """The plan for `BENCHMARK:STYLE`; of `sampling`, what is None stays as published.

        Raises:
            UsageError: there is no such benchmark or style, or its items are not chosen by what `options` says.

        """
        benchmark, style = find_style(name)
        _check_options(benchmark, options or Options())
        chosen = {key: value for key, value in sampling.items() if value is not None}
        drawn = replace(benchmark.styles[style].sampling, **chosen)
        return cls(
            benchmark=benchmark,
            style=style,
            sampling=drawn,
            options=options or Options(),
            setting=setting or Setting(),
            limit=limit,
        )

    @property
    def name(self) -> str:
        """`cruxeval-o:direct`."""
        return f"{self.benchmark.name}:{self.style}"

    @property
    def folder(self) -> str:
        """`cruxeval-o.direct`."""
        return f"{self.benchmark.name}.{self.style}"

    def items(self) -> list[Item]:
        """All that there are.

        Raises:
            UsageError: the data is missing or another, or nothing is in the window.

        """
        items = self.benchmark.load(self.options)
        if not items:
            raise UsageError(f"{self.benchmark.name} has no items in {self.options.window or 'what was chosen'}")
        assert len({item.id for item in items}) == len(items), f"{self.benchmark.name}: ids of items are not unique"
        return items


def _check_options(benchmark: Benchmark, options: Options) -> None:
    """What would change nothing is refused: it would stand beside a score as if it had."""
    for name, told in _CHOICES.items():
        if getattr(options, name) is not None and name not in benchmark.chosen_by:
            raise UsageError(f"the items of {benchmark.name} are not chosen by {told}; leave it out{_INSTEAD.get(name, '')}")


def begin(folder: Path, subject: Subject) -> Run:
    """The run in a folder, which may be there already.

    Raises:
        UsageError: it is of another model, or the folder holds something else.

    """
    model = {"kind": subject.kind, "name": subject.name, "sha256": "", "settings": {}, "where": "", **subject.describe()}
    if (folder / MANIFEST).exists():
        run = Run.open(folder)
        changed = ", ".join(key for key in model if key != "where" and run.model.get(key) != model[key])
        if changed:
            raise UsageError(
                f"{folder} is a run of {run.model['name']}, and this is another model ({changed}); another folder: -o RUN"
            )
        _warn_of_versions(run)
        return run
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there and is no run; give another folder: -o RUN")
    content = {"v": VERSION, **_versions(), "model": model, "parts": {}}
    return Run(folder, content)


def _warn_of_versions(run: Run) -> None:
    """What reads and judges may have changed since; that is told, since most changes change no verdict."""
    before = run.content.get("foretrace")
    if before not in (None, __version__):
        warnings.warn(
            f"{run.folder} was begun by foretrace {before}, and this is {__version__}: verdicts may differ",
            stacklevel=3,
        )


def describe(plan: Plan, items: Sequence[Item]) -> dict[str, Any]:
    """A part of a manifest."""
    benchmark, style = plan.benchmark, plan.benchmark.styles[plan.style]
    return {
        "benchmark": benchmark.name,
        "style": plan.style,
        "title": benchmark.title,
        "about": benchmark.about,
        "source": benchmark.source,
        "note": benchmark.note,
        "prompt_source": style.source,
        "sampling": asdict(plan.sampling),
        "setting": asdict(plan.setting),
        "options": asdict(plan.options),
        "limit": plan.limit,
        "items": len(items),
        "items_sha256": items_sha256(items),
        "questions_sha256": questions_sha256(style, items),
        "files": [asdict(file) for file in benchmark.files],
        "is_executing": benchmark.is_executing,
        "isolation": isolation_of(benchmark, plan.setting),
        "measures": list(benchmark.measures),
        "controls": {},
        "began": now(),
        "ended": None,
    }


def check_same(before: Mapping[str, Any], after: Mapping[str, Any], folder: Path) -> None:
    """More items and more samples may be asked for; all else that the run has noted must be as it was.

    Raises:
        UsageError: it is not.

    """
    old, new = json.loads(json.dumps([_fixed(before), _fixed(after)]))
    changed = [f"{key} was {old[key]!r} and is {new[key]!r}" for key in new if key in old and old[key] != new[key]]
    if changed:
        raise UsageError(f"{folder} was begun otherwise: {'; '.join(changed)}; give another folder: -o RUN")


def _fixed(part: Mapping[str, Any]) -> dict[str, Any]:
    sampling = {key: value for key, value in part["sampling"].items() if key != "samples"}
    return {key: part[key] for key in _FIXED if key in part} | sampling


def items_sha256(items: Sequence[Item]) -> str:
    """Of ids and rows, in order: equal where two runs had the same items. Of what is not JSON only the type counts."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(json.dumps([item.id, dict(item.row)], default=lambda value: type(value).__name__).encode() + b"\n")
    return digest.hexdigest()


def questions_sha256(style: Style, items: Sequence[Item]) -> str:
    """Of all that a model is asked, in order."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(json.dumps(asdict(style.ask(item))).encode() + b"\n")
    return digest.hexdigest()


def now() -> str:
    """The time, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, Any]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    python, where = platform.python_version(), platform.platform()
    return {"foretrace": __version__, "python": python, "platform": where, "versions": found}
