"""One place that turns a name into an engine.

load("tiny")                                             the checkpoint in the package
load("runs/x/checkpoint")                                a checkpoint folder, without torch
load("torch:cwm,dtype=bfloat16,device=cuda")             a folder of Hugging Face's or of Meta's, by torch
load("http://localhost:8000/v1,tokenizer=cwm")           a server: vLLM, SGLang, `foretrace serve`
load("org/name")                                         a folder that Hugging Face's cache holds already; after `torch:` too
"""

import difflib
import hashlib
import re
from collections.abc import Collection
from importlib.resources import files
from math import prod
from pathlib import Path

from foretrace.engine.embedded import EmbeddedEngine
from foretrace.engine.types import Engine
from foretrace.errors import UsageError
from foretrace.model.checkpoint import load_checkpoint
from foretrace.model.tensors import open_tensors

_PATTERNS = ("*.safetensors", "*.distcp")
"""Files of weights: Hugging Face's and ours, Meta's."""
_BLOCK, _BLOCKS = 4096, 256
_REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def packaged_checkpoints() -> dict[str, Path]:
    """Checkpoint folders in the package, by name."""
    folder = Path(str(files("foretrace"))) / "checkpoints"
    return {f.name: f for f in sorted(folder.iterdir()) if f.is_dir()} if folder.is_dir() else {}


def load(model: str = "tiny") -> Engine:
    """The engine called `model`; see the top of this module.

    Raises:
        UsageError: there is no such model, an option is unknown, or what it needs is not installed.
        CheckpointError: the folder is incomplete or damaged.
        EndpointError: the server cannot be reached, or does not say what it serves.

    """
    if model.startswith(("http://", "https://")):
        from foretrace.engine.remote import RemoteEngine

        url, options = parse_options(model, ("model", "tokenizer", "context"))
        return RemoteEngine.connect(url, **options)
    if model.startswith("torch:"):
        try:
            from foretrace.engine.torch_engine import TorchEngine
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise UsageError(f'{model!r} needs torch; install it with: pip install "foretrace[train]"') from error
        name, options = parse_options(model.removeprefix("torch:"), ("dtype", "device"))
        return TorchEngine.load(_existing(name), name=model, **options)
    return EmbeddedEngine(load_checkpoint(_existing(model)), model)


def find_folder(model: str) -> Path | None:
    """The folder that `model` names: a packaged checkpoint, a path, or a repository in Hugging Face's cache; else None."""
    packaged, folder = packaged_checkpoints(), Path(model)
    if model in packaged:
        return packaged[model]
    if folder.is_dir():
        return folder
    return _cached(model) or (folder if "/" in model else None)


def folder_of(model: str) -> Path | None:
    """Where a model's weights are, by the name that `load` knows it by; None of one that has no folder."""
    name = model.removeprefix("torch:").split(",")[0]
    return None if "://" in name else find_folder(name)


def fingerprint(folder: Path) -> str:
    """What tells the weights of a folder from others: 32 hexadecimal digits.

    Of each file its size and 256 blocks of 4 KiB spread over it, so that 65 GB take no longer than 1 MB. Training changes
    every block.
    """
    digest = hashlib.sha256()
    for file in sorted(path for pattern in _PATTERNS for path in folder.glob(pattern)):
        size = file.stat().st_size
        digest.update(f"{file.name} {size} ".encode())
        with file.open("rb") as opened:
            for number in range(_BLOCKS):
                opened.seek(number * max(size - _BLOCK, 0) // (_BLOCKS - 1))
                digest.update(opened.read(_BLOCK))
    return digest.hexdigest()[:32]


def parameters_of(folder: Path) -> int | None:
    """How many weights a folder's safetensors files hold, by their headers; None where it has no such files.

    Raises:
        CheckpointError: a file is damaged.

    """
    files_of_weights = sorted(folder.glob("*.safetensors"))
    shapes = [tensor.shape for file in files_of_weights for tensor in open_tensors(file).values()]
    return sum(map(prod, shapes)) if shapes else None


def parse_options(text: str, known: Collection[str]) -> tuple[str, dict[str, str]]:
    """Splits `name,option=value,…`.

    Raises:
        UsageError: an option that is not among `known`, or one without a value.

    """
    name, *parts = text.split(",")
    options = {}
    for part in parts:
        option, is_set, value = part.partition("=")
        if option not in known or not is_set or not value:
            raise UsageError(f"{text!r}: no option {part!r}; the options are: {', '.join(f'{o}=…' for o in known)}")
        options[option] = value
    return name, options


def unknown_model(model: str, *others: str) -> UsageError:
    """The error for a name that means nothing; `others` are names that mean something where it was given."""
    known = [*packaged_checkpoints(), *others]
    close = difflib.get_close_matches(model, known, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return UsageError(
        f"no model called {model!r}{hint}\n"
        f"  known here: {', '.join(known) or 'none in this installation'}. "
        "The path of a checkpoint folder, torch:PATH, org/name or http://HOST:PORT/v1 also work.\n"
        f"  try: --model {known[0] if known else 'PATH'}"
    )


def _existing(model: str) -> Path:
    folder = find_folder(model)
    if folder is None:
        raise unknown_model(model)
    return folder


def _cached(repository: str) -> Path | None:
    """The folder of a repository `org/name` in the local cache; nothing is fetched."""
    if not _REPOSITORY.fullmatch(repository):
        return None
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    try:
        found = try_to_load_from_cache(repository, "config.json")
    except ValueError:  # no name that a repository can have
        return None
    return Path(found).parent if isinstance(found, str) else None
