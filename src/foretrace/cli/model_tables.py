"""What a model costs, as a table for a terminal."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from foretrace.data.quantities import short
from foretrace.model.config import FULL, ModelConfig
from foretrace.model.info import ModelInfo

_Row = tuple[str, str, str]
"""What, how much, and a remark."""
_WHAT, _AMOUNT = 30, 14


def print_info(console: Console, name: str, config: ModelConfig, info: ModelInfo) -> None:
    """The shape, then groups of rows."""
    console.print(Text(name, style="bold"))
    console.print(Text(_shape(config)))
    gpus = "one GPU" if info.gpus == 1 else f"each of {info.gpus:,} GPUs"
    _print_group(console, "parameters", _parameters(info))
    _print_group(console, f"operations a token, in a document of {info.context:,} tokens", _operations(info))
    _print_group(console, "keys and values in bfloat16", _keys_and_values(config, info))
    _print_group(console, f"memory to train, with a row of {info.context:,} tokens on {gpus}", _training(info))
    _print_group(console, f"memory to serve, on {gpus}", _serving(info))


def _print_group(console: Console, title: str, rows: Iterator[_Row]) -> None:
    console.print()
    console.print(Text(title, style="bold cyan"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True, width=_WHAT)
    table.add_column(no_wrap=True, width=_AMOUNT, justify="right")
    table.add_column(style="dim")
    for what, amount, remark in rows:
        table.add_row(f"  {what}", amount, remark)
    console.print(table)


def binary_size(count: float) -> str:
    """Bytes as memory is sold: `9.5 GiB`."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} TiB"


def _shape(config: ModelConfig) -> str:
    layers, full = config.num_hidden_layers, config.layer_types.count(FULL)
    heads = f"{config.num_attention_heads} heads, {config.num_key_value_heads} of keys, of {config.head_dim}"
    sliding = f", {layers - full} within {config.sliding_window:,} tokens" if full < layers else ""
    tied = ", tied" if config.tie_word_embeddings else ""
    return (
        f"{layers} layers ({full} global{sliding}) of {config.hidden_size:,} and {config.intermediate_size:,}\n"
        f"{heads}; vocabulary of {config.vocab_size:,}{tied}; up to {config.max_position_embeddings:,} positions"
    )


def _parameters(info: ModelInfo) -> Iterator[_Row]:
    yield "all", f"{info.parameters:,}", ""
    yield "without embedding and head", f"{info.non_embedding_parameters:,}", ""


def _operations(info: ModelInfo) -> Iterator[_Row]:
    yield "forward", short(info.forward_flops_per_token), f"{info.attention_share:.1%} of it attention"
    yield "training", short(info.train_flops_per_token), "forward and backward"


def _keys_and_values(config: ModelConfig, info: ModelInfo) -> Iterator[_Row]:
    yield "a token", binary_size(info.kv_bytes_per_token), f"of the first {config.sliding_window:,}"
    yield "a further token", binary_size(info.kv_bytes_per_further_token), "on global layers only"
    for length, size in info.kv_bytes.items():
        yield f"a sequence of {length:,}", binary_size(size), ""


def _training(info: ModelInfo) -> Iterator[_Row]:
    memory = info.training
    yield "weights", binary_size(memory.weights), "bfloat16"
    yield "gradients", binary_size(memory.gradients), "bfloat16"
    yield "weights that are updated", binary_size(memory.master), "float32"
    yield "AdamW's moments", binary_size(memory.moments), "float32"
    if memory.gathered:
        yield "two layers, gathered", binary_size(memory.gathered), "bfloat16"
    kept = f"recomputed; kept: {binary_size(info.activations_kept)}"
    yield "activations", binary_size(memory.activations), kept
    yield "together", binary_size(memory.per_gpu), ""


def _serving(info: ModelInfo) -> Iterator[_Row]:
    yield "weights", binary_size(info.serving_weights), "bfloat16"
    yield f"a sequence of {info.context:,}", binary_size(info.serving_sequence), "keys and values"
    yield "together", binary_size(info.serving_weights + info.serving_sequence), ""
