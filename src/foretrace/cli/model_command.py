"""`foretrace model`: what a model costs, and folders of models from one form to another."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foretrace.cli import options

if TYPE_CHECKING:
    from foretrace.model.config import ModelConfig

EXAMPLES = """\b
Examples:
  foretrace model info cwm_32b --context 128k --gpus 64
  foretrace model convert model_weights/cwm-sft cwm-sft
"""

_INFO_EXAMPLES = """\b
Examples:
  foretrace model info tiny
  foretrace model info runs/tiny/sft/checkpoint --json
  foretrace model info cwm_32b --context 128k --gpus 64
"""

_CONVERT_EXAMPLES = """\b
Examples:
  foretrace model convert model_weights/cwm-sft cwm-sft
  foretrace model convert cwm cwm-half --dtype float16 --max-shard 2GB
"""
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_CONTEXT = 8192


@click.group("model", epilog=EXAMPLES)
def command() -> None:
    """Say what a model costs; convert folders of models."""


@command.command("info", epilog=_INFO_EXAMPLES)
@click.argument("model", metavar="PRESET|FOLDER")
@click.option(
    "--context",
    metavar="TOKENS",
    callback=lambda *a: options.parse_count(a[2]) if a[2] else None,
    help="Length of rows and sequences.  [default: 8k, or the model's longest]",
)
@click.option("--gpus", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="That share the model.")
@options.as_json
def info(model: str, context: int | None, gpus: int, as_json: bool) -> None:
    """Say what a model costs: parameters, operations a token, keys and values, memory to train and to serve.

    Only the shape is read: a preset's, or that of a folder of Hugging Face (config.json) or Meta (params.json). How each
    figure is reckoned: docs/models.md.
    """
    from foretrace.errors import UsageError
    from foretrace.model.info import describe

    config = _shape_of(model)
    longest = config.max_position_embeddings
    if context is not None and context > longest:
        raise UsageError(f"a context of {context:,} tokens is more than the {longest:,} positions of this model")
    found = describe(config, context or min(_CONTEXT, longest), gpus)
    if as_json:
        options.write_json({"v": 1, "model": model, "config": config.to_dict(), **found.to_dict()})
        return
    from foretrace.cli.model_tables import print_info
    from foretrace.cli.render import make_console

    print_info(make_console(), model, config, found)


def _shape_of(model: str) -> "ModelConfig":
    from foretrace.errors import UsageError
    from foretrace.model.convert import read_architecture
    from foretrace.model.presets import PRESETS, preset

    if model not in PRESETS and Path(model).is_dir():
        return read_architecture(Path(model))
    if "/" in model:
        raise UsageError(f"no folder at {model}; known shapes: {', '.join(PRESETS)}")
    return preset(model)


@command.command("convert", epilog=_CONVERT_EXAMPLES)
@click.argument("source", metavar="SRC", type=click.Path(path_type=Path))
@click.argument("target", metavar="DST", type=click.Path(path_type=Path))
@click.option("--from", "kind", type=click.Choice(["hf", "meta"]), help="What SRC is, if it could be both.")
@click.option(
    "--dtype", type=click.Choice(["bfloat16", "float16", "float32"]), help="Of the weights.  [default: as they are]"
)
@click.option(
    "--max-shard",
    default="5GB",
    show_default=True,
    metavar="SIZE",
    callback=lambda *a: parse_size(a[2]),
    help="Of a file of weights.",
)
@options.as_json
def convert_command(source: Path, target: Path, kind: str | None, dtype: str | None, max_shard: int, as_json: bool) -> None:
    """Write a model as a folder that transformers and vLLM load.

    SRC is a folder of Hugging Face, or Meta's release of CWM, which needs torch. Tokenizer and other files come along. One
    weight is in memory at a time, and DST is complete or not there.
    """
    from foretrace.cli.progress import Bar
    from foretrace.model.convert import convert
    from foretrace.model.info import parameters

    with Bar("converting") as bar:
        config = convert(source, target, kind=kind, dtype=dtype, max_shard_bytes=max_shard, progress=bar)
    files = sorted(file.name for file in target.iterdir())
    if as_json:
        options.write_json({"v": 1, "parameters": parameters(config), "folder": str(target), "files": files})
    else:
        shards = sum(name.endswith(".safetensors") for name in files)
        click.echo(f"{parameters(config):,} parameters in {shards} {'file' if shards == 1 else 'files'}: {target}")


def parse_size(text: str) -> int:
    """`5GB`, `500 MB` or a number of bytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]B|)", text.strip().upper())
    size = int(float(match[1]) * _UNITS[match[2]]) if match else 0
    if size < 1:
        raise click.BadParameter(f"{text!r} is not a size; write 5GB or 500MB")
    return size
