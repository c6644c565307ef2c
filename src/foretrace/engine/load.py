"""One place that turns a name into an engine.

load("tiny")            the checkpoint in the package
load("runs/x/checkpoint")
"""

from importlib.resources import files
from pathlib import Path

from foretrace.engine.embedded import EmbeddedEngine
from foretrace.engine.types import Engine
from foretrace.errors import UsageError
from foretrace.model.checkpoint import load_checkpoint


def packaged_checkpoints() -> dict[str, Path]:
    """Checkpoint folders in the package, by name."""
    folder = Path(str(files("foretrace"))) / "checkpoints"
    return {f.name: f for f in sorted(folder.iterdir()) if f.is_dir()} if folder.is_dir() else {}


def load(model: str = "tiny") -> Engine:
    """The engine called `model`: a packaged checkpoint, or the path of a checkpoint folder.

    Raises:
        UsageError: there is no such model.
        CheckpointError: the folder is incomplete or damaged.

    """
    packaged = packaged_checkpoints()
    if model in packaged:
        return EmbeddedEngine(load_checkpoint(packaged[model]), model)
    folder = Path(model)
    if folder.is_dir() or "/" in model:
        return EmbeddedEngine(load_checkpoint(folder), model)
    known = ", ".join(packaged) or "none in this installation"
    raise UsageError(f"no model called {model!r}; known here: {known}. The path of a checkpoint folder also works")
