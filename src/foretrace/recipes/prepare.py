"""What a recipe needs before training: its tokenizer, and the shards of its data. Only what is missing is made.

tokenizer = make_tokenizer(recipe)
prepare(recipe, tokenizer, report)
"""

import json
import sysconfig
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from foretrace.corpus import programs
from foretrace.corpus.short_functions import SHOWN, short_functions
from foretrace.data.dataset import open_dataset
from foretrace.data.ledger import Record
from foretrace.data.pack import PackJob, pack
from foretrace.data.pipeline.definition import Definition
from foretrace.data.pipeline.engines import open_engine
from foretrace.data.pipeline.make import make
from foretrace.data.questions import conversations, program_conversation
from foretrace.data.tokenizer import FILE, Tokenizer
from foretrace.data.units import Material
from foretrace.errors import UsageError
from foretrace.recipes.recipe import Data, Recipe, shards

Report = Callable[[dict[str, Any]], None]

_TOKENIZER_PROGRAMS = 20_000
_NO_CODE = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "__pycache__"}
"""What of an interpreter's library is no code to learn from: other packages, and data made to be odd."""


def make_tokenizer(recipe: Recipe) -> Tokenizer:
    """The recipe's tokenizer; a small one is trained once, on the sources of synthesised programs."""
    if recipe.tokenizer is not None:
        return Tokenizer.load(recipe.tokenizer)
    return train_small_tokenizer(recipe.work, recipe.model.vocab_size)


def train_small_tokenizer(folder: Path, vocab_size: int) -> Tokenizer:
    """The tokenizer in a folder; if there is none, a small one is made there."""
    file = folder / FILE
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        sources = (program.source for program in islice(programs(), _TOKENIZER_PROGRAMS))
        Tokenizer.train(sources, vocab_size).save(file)
    return Tokenizer.load(file)


def stdlib_sources() -> list[Path]:
    """The files of this interpreter's library that are code to learn from."""
    library = Path(sysconfig.get_paths()["stdlib"])
    return sorted(f for f in library.rglob("*.py") if not _NO_CODE & set(f.relative_to(library).parts))


def prepare(recipe: Recipe, tokenizer: Tokenizer, report: Report) -> None:
    """Makes the shards that the recipe's stages read and that are its to make.

    Raises:
        UsageError: shards that are not its to make are missing.

    """
    wanted = {source.folder for stage in recipe.stages for source in stage.mixture.sources}
    made = {shards(recipe.work, name): (name, data) for name, data in recipe.data}
    for folder in sorted(wanted - made.keys()):
        if not folder.is_dir():
            raise UsageError(f"no shards in {folder}; make them: foretrace data pack SOURCE… -o {folder} --tokenizer …")
    for folder, (name, data) in made.items():
        if folder in wanted:
            job = PackJob(
                sources=_sources(recipe, name, data, report),
                out=folder,
                material=_MATERIALS[data.kind],
                max_tokens=data.max_tokens or None,
                validation=recipe.validation,
            )
            record = pack(job, tokenizer, workers=recipe.workers, progress=_shards(name, report))
            report({"data": name, "documents": record.documents, "tokens": record.tokens})


_MATERIALS: dict[str, Material] = {
    "traces": "trace",
    "questions": "chat",
    "examples": "chat",
    "agents": "chat",
    "text": "text",
}


def _sources(recipe: Recipe, name: str, data: Data, report: Report) -> tuple[Path, ...]:
    """What is packed, made first where it is not there to be read."""
    if data.kind == "text":
        return tuple(p for s in data.sources for p in (stdlib_sources() if s == "stdlib" else [Path(s)]))
    if data.kind == "agents":
        return tuple(map(Path, data.sources))
    if data.kind == "traces":
        return (_traces(recipe, name, data, report),)
    if data.kind == "questions":
        return (_questions(recipe, name, data),)
    if data.kind == "examples":
        return (_examples(recipe, name, data),)
    raise UsageError(f"{name}: no data of kind {data.kind!r}; known: {', '.join(_MATERIALS)}")


def _traces(recipe: Recipe, name: str, data: Data, report: Report) -> Path:
    folder = recipe.work / "datasets" / name
    definition = Definition(sources=data.sources, calls=data.calls, benchmarks=recipe.benchmarks)

    def progress(stage: str, done: int, wanted: int, _counted: Counter[str]) -> None:
        report({"making": name, "part": stage, "shards": done, "of": wanted})

    make(definition, str(folder), open_engine("local", recipe.workers, None), progress)
    return folder


def _questions(recipe: Recipe, name: str, data: Data) -> Path:
    return _chats(recipe, name, lambda: conversations(open_dataset(recipe.work / "datasets" / data.of)))


def _examples(recipe: Recipe, name: str, data: Data) -> Path:
    kind, _, number = "".join(data.sources).partition(":")
    if kind != "short" or not number.isdecimal():
        raise UsageError(f"{name}: examples are of short:COUNT functions, not of {' '.join(data.sources)!r}")

    def chats() -> Iterator[dict[str, Any]]:
        for seed, function in enumerate(islice(short_functions(0), int(number))):
            yield program_conversation(f"short-{seed}", function.source, function.entry, function.examples[:SHOWN])

    return _chats(recipe, name, chats)


def _chats(recipe: Recipe, name: str, make: Callable[[], Iterable[dict[str, Any]]]) -> Path:
    """The file of conversations called `name`, made if it is missing."""
    file = recipe.work / "datasets" / f"{name}.jsonl"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".tmp")
        with temporary.open("w", encoding="utf-8") as lines:
            for conversation in make():
                lines.write(json.dumps(conversation, ensure_ascii=False) + "\n")
        temporary.replace(file)
    return file


def _shards(name: str, report: Report) -> Callable[[int, int, Record], None]:
    def progress(done: int, wanted: int, _record: Record) -> None:
        report({"packing": name, "shards": done, "of": wanted})

    return progress
