"""Writes documents to a folder of shards as they come, each shard whole or not at all.

with ShardWriter(folder, vocab_size=1024, tokenizer="2f6c…") as writer:
    for document in documents:
        writer.append(document)
"""

from pathlib import Path
from types import TracebackType
from typing import Self

from foretrace.data.shards import Document, check_document, shard_name, write_shard


class ShardWriter:
    """Appends documents, and begins a new shard when one is full. A shard is in the folder as soon as it is full.

    The last one is written at the end of the `with` block, and not if that ends by an exception: it would not be full.
    """

    def __init__(
        self, folder: Path, *, vocab_size: int, tokenizer: str, first_shard: int = 0, tokens_per_shard: int = 1 << 26
    ) -> None:
        """Makes the folder.

        Args:
            vocab_size: number of ids of the tokenizer.
            tokenizer: its fingerprint.
            first_shard: number of the first shard.
            tokens_per_shard: a shard is full when it holds that many. Three bytes a token wait in memory until it is.

        """
        self._folder, self._vocab_size, self._tokenizer = folder, vocab_size, tokenizer
        self._next, self._tokens_per_shard = first_shard, tokens_per_shard
        self._waiting: list[Document] = []
        self._size = 0
        folder.mkdir(parents=True, exist_ok=True)

    def append(self, document: Document) -> None:
        """Adds a document.

        Raises:
            UsageError, PipelineError: see `write_shard`.

        """
        check_document(document, self._vocab_size)
        self._waiting.append(document)
        self._size += len(document)
        if self._size >= self._tokens_per_shard:
            self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None and self._waiting:
            self._flush()

    def _flush(self) -> None:
        file = self._folder / shard_name(self._next)
        write_shard(file, self._waiting, vocab_size=self._vocab_size, tokenizer=self._tokenizer)
        self._waiting, self._size, self._next = [], 0, self._next + 1
