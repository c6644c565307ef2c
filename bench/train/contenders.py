"""Who takes part, with which settings, and which settings were tried for each before (`speed.py --sweep`)."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str((1 << 31) - 1)}
"""Environment: glibc keeps freed memory for the next step. Our trainer asks for the same by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way to train."""

    title: str
    module: str
    """A name that `measure.py` knows."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Fields of its `Settings`."""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def peer(self) -> bool:
        """Whether it runs in the peers' interpreter."""
        return self.module != "foretrace"

    def described(self) -> str:
        """Its settings in a line."""
        parts = [f"{name}={value}" for name, value in self.settings.items()]
        return " ".join([*parts, *(["kept memory"] if self.environment.items() >= KEPT_MEMORY.items() else [])])


HUGGING_FACE = Contender(
    title="Hugging Face Trainer",
    module="hugging_face",
    settings={"layout": "padded", "attention": "sdpa", "micro": 4096},
    environment=KEPT_MEMORY,
)
NANOCHAT = Contender(
    title="nanochat-style",
    module="nanochat",
    settings={"row": 1024, "pattern": "L", "micro": 8192, "compile": True},
    environment=KEPT_MEMORY,
)
OURS = Contender(title="**foretrace**", module="foretrace", settings={"compile": True})

_ALL = {
    "foretrace": OURS,
    "hugging_face": HUGGING_FACE,
    "nanochat": NANOCHAT,
    "foretrace-muon": replace(OURS, title="**foretrace**, Muon", settings=OURS.settings | {"optimizer": "muon"}),
    "nanochat-muon": replace(NANOCHAT, title="nanochat-style, its Muon", settings=NANOCHAT.settings | {"optimizer": "muon"}),
}
NAMES = tuple(_ALL)
"""In the order of the table."""

_ON_GPU = {
    "foretrace": {"row": 65536, "pad": True},
    "hugging_face": {"micro": 65536, "compile": True},
    "nanochat": {"micro": 65536},
}
"""What a GPU wants otherwise: enough to do at once."""


def contender(name: str, device: str) -> Contender:
    """The contender of that name, with its best settings on a device."""
    found = _ALL[name]
    return replace(found, settings=found.settings | _ON_GPU[found.module]) if device == "cuda" else found


def sweep(name: str, device: str) -> Iterator[Contender]:
    """The settings that are tried for a contender; on CPU first without those of the allocator."""
    found = contender(name, device)
    grid = list((_GRIDS_ON_GPU if device == "cuda" else _GRIDS)[found.module]())
    if found.environment and device == "cpu":
        yield replace(found, settings=found.settings | grid[0], environment={})
    for settings in grid:
        yield replace(found, settings=found.settings | settings)


def _hugging_face() -> Iterator[dict[str, Any]]:
    for compiled, micro in product((False, True), (8192, 4096, 2048, 1024)):
        yield {"layout": "padded", "micro": micro, "compile": compiled}
    yield {"layout": "padded", "micro": 4096, "multiple": 64, "compile": True}
    yield {"layout": "padded", "micro": 4096, "attention": "eager"}
    yield {"layout": "padded", "micro": 4096, "mask": True}
    yield {"layout": "padded", "micro": 4096, "workers": 1}
    yield {"layout": "padded", "micro": 4096, "weights": "bfloat16"}
    for compiled, micro in product((False, True), (1024, 4096)):
        yield {"layout": "rows", "row": 1024, "micro": micro, "compile": compiled}
    yield {"layout": "rows", "row": 1024, "micro": 4096, "attention": "eager"}
    yield {"layout": "rows", "row": 2048, "micro": 2048}
    yield {"layout": "rows", "row": 4096, "micro": 4096}
    yield from ({"layout": "flat", "micro": micro} for micro in (2048, 8192))


def _nanochat() -> Iterator[dict[str, Any]]:
    for row, pattern, compiled in product((1024, 2048), ("L", "SSSL"), (True, False)):
        yield {"row": row, "pattern": pattern, "micro": 8192, "compile": compiled}
    yield {"row": 1024, "pattern": "L", "micro": 2048}
    yield {"row": 1024, "pattern": "L", "micro": 1024}
    yield {"row": 512, "pattern": "L", "micro": 8192}
    yield {"row": 1024, "pattern": "L", "micro": 8192, "kv_heads": "all"}


def _foretrace() -> Iterator[dict[str, Any]]:
    for compiled, row in product((True, False), (8192, 4096, 2048)):
        yield {"row": row, "compile": compiled}


def _hugging_face_on_gpu() -> Iterator[dict[str, Any]]:
    for attention, compiled in product(("sdpa", "flex_attention"), (True, False)):
        shared = {"attention": attention, "compile": compiled}
        yield {"layout": "padded", "micro": 65536} | shared
        yield {"layout": "rows", "row": 2048, "micro": 65536} | shared
        yield {"layout": "flat", "micro": 16384} | shared


def _nanochat_on_gpu() -> Iterator[dict[str, Any]]:
    for row, pattern in product((1024, 2048), ("L", "SSSL")):
        yield {"row": row, "pattern": pattern}


def _foretrace_on_gpu() -> Iterator[dict[str, Any]]:
    for attention, row in product(("varlen", "flex"), (32768, 65536, 131072)):
        yield {"attention": attention, "row": row}
    yield {"attention": "varlen", "pad": False}
    yield {"attention": "varlen", "compile": False}
    yield {"attention": "sdpa-block"}


_GRIDS_ON_GPU = {"hugging_face": _hugging_face_on_gpu, "nanochat": _nanochat_on_gpu, "foretrace": _foretrace_on_gpu}
_GRIDS = {"hugging_face": _hugging_face, "nanochat": _nanochat, "foretrace": _foretrace}
