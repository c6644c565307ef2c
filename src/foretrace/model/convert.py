"""From one folder of a model to another: Meta's release to Hugging Face's form, or that in another dtype or other shards.

    convert(Path("model_weights/cwm-sft"), Path("cwm-sft"), dtype="bfloat16")

What belongs to the model comes along: its tokenizer, the form of chats, the settings for generating, the licence.
"""

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from foretrace.data.tokenizer import FILE, RANKS, Tokenizer
from foretrace.errors import UsageError
from foretrace.model.config import ModelConfig
from foretrace.model.interchange import (
    CONFIG,
    INDEX,
    MAX_SHARD_BYTES,
    Progress,
    load_pretrained,
    read_config,
    save_pretrained,
)
from foretrace.model.meta import PARAMS, load_meta, read_params

KINDS = {"hf": CONFIG, "meta": PARAMS}
"""Kinds of folder, by the file that tells the architecture."""
_COMPANIONS = ("*.json", "*.jinja", "*.model", "*.txt", "*.md", "LICENSE*")
_LEFT = (CONFIG, INDEX, PARAMS, "calibration.json")
"""Companions that are written anew, or hold for the old files alone (`foretrace calibrate`)."""


def kind_of(folder: Path, kind: str | None = None) -> str:
    """Which of `KINDS` a folder is; `kind` if that is given.

    Raises:
        UsageError: it is none, or could be both.

    """
    if not folder.is_dir():
        raise UsageError(f"no folder at {folder}")
    found = [name for name, file in KINDS.items() if (folder / file).is_file()]
    if kind is not None:
        return kind
    if len(found) > 1:
        raise UsageError(f"{folder} has {' and '.join(KINDS.values())}; say which of the two models is meant: hf or meta")
    if not found:
        raise UsageError(f"{folder} has neither {' nor '.join(KINDS.values())}: it is no folder of a model")
    return found[0]


def read_architecture(folder: Path) -> ModelConfig:
    """The configuration of a folder of either kind.

    Raises:
        UsageError: it is of no kind.
        CheckpointError: the file is damaged, or asks for something that this model does not do.

    """
    return read_config(folder) if kind_of(folder) == "hf" else read_params(folder)


def convert(
    source: Path,
    target: Path,
    *,
    kind: str | None = None,
    dtype: str | None = None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
    progress: Progress = lambda done, wanted: None,
) -> ModelConfig:
    """Writes the model of one folder into another, as `interchange.save_pretrained` does: all of it or nothing.

    Args:
        source: of either kind.
        target: a new or an empty folder.
        kind: of the source, if it could be both.
        dtype: of the weights; None keeps each one's own.
        max_shard_bytes: size of a file of weights.
        progress: called after each weight.

    Raises:
        UsageError: the source is no model, the target is not empty, or a library is not installed.
        CheckpointError: the source is incomplete or damaged, or the target could not be written.

    """
    kind = kind_of(source, kind)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is there already, and not empty; choose another folder")
    if kind == "meta" and find_spec("torch") is None:
        raise UsageError("Meta's release is read by torch; install it with: pip install 'foretrace[train]'")
    config, tensors = load_pretrained(source) if kind == "hf" else load_meta(source)
    files = {file.name: file.read_bytes() for pattern in _COMPANIONS for file in sorted(source.glob(pattern))}
    files = {name: content for name, content in files.items() if name not in _LEFT}
    if RANKS in files and FILE not in files:
        files |= _tokenizer_files(source)
    save_pretrained(target, config, tensors, dtype=dtype, max_shard_bytes=max_shard_bytes, files=files, progress=progress)
    return config


def _tokenizer_files(source: Path) -> dict[str, bytes]:
    """Meta's tokenizer in the form that `transformers` reads."""
    tokenizer = Tokenizer.load(source / RANKS)
    with TemporaryDirectory() as folder:
        tokenizer.save(Path(folder) / FILE)
        return {file.name: file.read_bytes() for file in Path(folder).iterdir()}
