"""What a model is trained on: sources with weights, and how their documents are packed into rows.

A weight is a share of tokens, not of documents: with weights 3 and 1 the first source gives three tokens of four,
however long its documents are. Weights need not add up to one.

    traces = Source(name="traces", folder=Path("shards/traces"), weight=0.3)
    agents = Source(name="agents", folder=Path("shards/agents"), weight=0.1, max_epochs=4, observation_share=0.5)
    mixture = Mixture(sources=(traces, agents), tokens_per_row=8192, rows_per_batch=4)
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args

from foretrace.data.kinds import PREDICTED, Kind
from foretrace.errors import UsageError

TooLong = Literal["drop", "truncate", "wrap"]
"""What is done with a document longer than a row: it is left out, its end is, or it is cut into pieces of a row's length,
each a document of its own. CWM wraps pre-training data and truncates conversations (report, section 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One folder of shards."""

    name: str
    """For the records. Seeds derive from it, so that the order of a source does not depend on what it is mixed with."""
    folder: Path
    weight: float = 1.0
    max_epochs: int | None = None
    """After that many passes the source is out, and its share goes to the others."""
    too_long: TooLong = "drop"
    observation_share: float = 1.0
    """Probability with which an observation is kept in the loss: CWM's agent data halves what environments answer."""
    predicted: frozenset[Kind] = PREDICTED
    """Kinds of token that are in the loss."""

    def __post_init__(self) -> None:
        """Checks the fields.

        Raises:
            UsageError: one of them makes no sense.

        """
        _require(0 < self.weight < math.inf, f"{self.name}: weight must be above 0, not {self.weight}")
        _require(self.max_epochs is None or self.max_epochs >= 1, f"{self.name}: max_epochs must be at least 1")
        known = get_args(TooLong)
        _require(self.too_long in known, f"{self.name}: too_long must be one of {', '.join(known)}, not {self.too_long!r}")
        share = self.observation_share
        _require(0 <= share <= 1, f"{self.name}: observation_share must be between 0 and 1, not {share}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Sources, and the shape of batches."""

    sources: tuple[Source, ...]
    tokens_per_row: int = 8192
    """A row holds whole documents, at most this many tokens of them."""
    rows_per_batch: int = 1
    """Rows of a global batch, the same on any number of ranks."""
    seed: int = 0
    length_buckets: tuple[int, ...] = ()
    """Ascending lengths: the documents of a global batch all lie between two neighbours, the upper one included, so that all
    ranks have as much attention to compute. CWM: 16385, 65537."""
    rows_of_one_source: bool = False
    """Never mix sources within a row: CWM packs fine-tuning data within one dataset (report, section 5.1)."""
    pad_rows: bool = False
    """Fill every row to `tokens_per_row` with a document that is not predicted, for kernels that want static shapes."""
    lookahead: int = 1024
    """Documents that wait to be packed, of all pools together. More fill rows better; each makes a state 30 bytes larger."""

    def __post_init__(self) -> None:
        """Checks the fields.

        Raises:
            UsageError: one of them makes no sense.

        """
        names = [source.name for source in self.sources]
        _require(bool(names), "a mixture needs at least one source")
        _require(len(set(names)) == len(names), f"two sources have the same name: {', '.join(sorted(names))}")
        for field in ("tokens_per_row", "rows_per_batch", "lookahead"):
            _require(getattr(self, field) >= 1, f"{field} must be at least 1, not {getattr(self, field)}")
        _require(self.seed >= 0, f"seed must not be negative, but is {self.seed}")
        ascending = all(low < high for low, high in pairwise((0, *self.length_buckets)))
        _require(ascending, f"length_buckets must be positive and ascend, not {self.length_buckets}")

    @property
    def buckets(self) -> list["Bucket"]:
        """The ranges of lengths; one for all if there are no buckets."""
        return [Bucket(low, high) for low, high in pairwise((0, *self.length_buckets, math.inf))]


@dataclass(frozen=True, slots=True)
class Bucket:
    """Documents longer than `low` tokens, and at most `high`."""

    low: float
    high: float


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise UsageError(otherwise)
