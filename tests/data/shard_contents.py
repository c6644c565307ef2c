"""What packing wrote, read back; and jobs of small units."""

from pathlib import Path
from typing import Any

import pytest

from foretrace.data import units
from foretrace.data.pack import PackJob
from foretrace.data.shards import Document, Shard, shard_files
from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.load import packaged_checkpoints

TOKENIZER = Tokenizer.train([], 800)
PACKAGED = Tokenizer.load(packaged_checkpoints()["tiny"])

Ids = tuple[tuple[int, ...], tuple[int, ...]]


def ids_of(document: Document) -> Ids:
    """Its tokens and kinds."""
    return tuple(document.tokens.tolist()), tuple(document.kinds.tolist())


def packed(folder: Path) -> dict[str, list[Ids]]:
    """The documents of each shard."""
    if not folder.is_dir():
        return {}
    shards = {file.name: Shard(file) for file in shard_files(folder)}
    return {name: [ids_of(shard.document(i)) for i in range(len(shard))] for name, shard in shards.items()}


def documents(folder: Path) -> list[Ids]:
    """The documents of all shards."""
    return [document for shard in packed(folder).values() for document in shard]


def job(tmp_path: Path, *sources: Path, **options: Any) -> PackJob:
    """A job whose shards are in `tmp_path / "shards"`."""
    return PackJob(sources=sources, out=tmp_path / "shards", **options)


@pytest.fixture
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several units of little data."""
    monkeypatch.setattr(units, "_ROWS", (4, 4))
    monkeypatch.setattr(units, "_BYTES", (300, 300))
