"""`foretrace data pack`."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foretrace.cli import options

if TYPE_CHECKING:
    from foretrace.cli.progress import Bar
    from foretrace.data.ledger import Record

_EXAMPLES = """\b
Examples:
  foretrace data pack traces/ -o shards/traces --tokenizer tiny --max-tokens 2k --validation 0.01
  foretrace data pack traces/ -o shards/words --tokenizer runs/small --kind narration
  foretrace data pack src/ docs/ corpus.jsonl -o shards/text --tokenizer cwm/tokenizer.model
  foretrace data pack run/ -o shards/agents --tokenizer runs/small --max-tokens 32k
  foretrace data pack traces/ -o /shared/shards --tokenizer runs/small --part 3/8

A source is a dataset folder of foretrace data make, a run of foretrace forage, a recording (.ftb or .jsonl), a Parquet
file with a column trace, text, content or messages, a .jsonl file of {text} or of chats {messages}, any other file as
text, or a folder of such.
"""


def _parse_part(ctx: click.Context, param: click.Parameter, text: str) -> tuple[int, int]:
    number, separator, parts = text.partition("/")
    if not (separator and number.isdecimal() and parts.isdecimal()):
        raise click.BadParameter(f"{text!r} is no part; write 3/8 for the third of eight")
    return int(number), int(parts)


@click.command("pack", epilog=_EXAMPLES)
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), metavar="FOLDER", help="Where to.")
@click.option("--tokenizer", default="tiny", show_default=True, metavar="NAME|PATH", help="A packaged model's, or its path.")
@click.option(
    "--kind",
    type=click.Choice(("auto", "trace", "narration", "text", "chat")),
    default="auto",
    show_default=True,
    help="What documents are made of; by default what each source looks like.",
)
@click.option(
    "--max-tokens",
    callback=lambda *a: options.parse_count(a[2]) if a[2] is not None else None,
    metavar="N",
    help="Of a document: longer traces are dropped, texts cut into pieces, chats cut after a message.  [default: any]",
)
@click.option(
    "--validation",
    default=0.0,
    type=options.Finite(0, 1, max_open=True),
    metavar="SHARE",
    help="Of programs, questions and texts that are held out, in FOLDER-validation.",
)
@click.option("--context", is_flag=True, help="Programs and arguments are learnt too, as in pre-training.")
@click.option("--observations/--no-observations", default=True, help="Whether what tools answer is learnt.  [default: yes]")
@click.option(
    "--thinking", type=click.Choice(("token", "tag")), default="token", show_default=True, help="How thoughts are marked."
)
@click.option("--part", default="1/1", callback=_parse_part, metavar="I/N", help="As one of N machines, make the I-th part.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes; by default as many as processors.")
@options.as_json
def command(
    sources: tuple[Path, ...],
    out: Path,
    tokenizer: str,
    kind: str,
    max_tokens: int | None,
    validation: float,
    context: bool,
    observations: bool,
    thinking: str,
    part: tuple[int, int],
    workers: int | None,
    as_json: bool,
) -> None:
    """Turn training material into shards of tokens, which train reads.

    Killed and started again, it goes on where it was. The same sources, tokenizer and options give the same bytes.
    """
    from foretrace.cli.progress import Bar
    from foretrace.data.pack import PackJob, pack
    from foretrace.data.tokenizer import Tokenizer
    from foretrace.engine.load import packaged_checkpoints

    job = PackJob(
        sources=sources,
        out=out,
        material=None if kind == "auto" else kind,  # type: ignore[arg-type]
        max_tokens=max_tokens,
        validation=validation,
        context=context,
        observations=observations,
        thinking=thinking,  # type: ignore[arg-type]
        part=part,
    )
    chosen = Tokenizer.load(packaged_checkpoints().get(tokenizer, Path(tokenizer)))
    with Bar("reading") as bar:
        record = pack(job, chosen, workers=workers or os.cpu_count() or 1, progress=_shown(bar))
    if as_json:
        options.write_json({"v": 1, "folder": str(out), **record.to_dict()})
    else:
        _tell(record, out)


def _shown(bar: "Bar") -> "Callable[[int, int, Record], None]":
    began = time.monotonic()

    def show(done: int, wanted: int, made: "Record") -> None:
        tokens = made.tokens + made.held_out_tokens
        bar.describe(f"packing ({tokens:,} tokens, {tokens / (time.monotonic() - began):,.0f} a second)")
        bar(done, wanted)

    return show


def _tell(record: "Record", out: Path) -> None:
    kinds = ", ".join(f"{name} {number / max(record.tokens, 1):.0%}" for name, number in record.kinds.most_common())
    click.echo(f"{record.documents:,} documents, {record.tokens:,} tokens, in {out}" + (f": {kinds}" if kinds else ""))
    if record.held_out_documents:
        click.echo(f"{record.held_out_documents:,} documents, {record.held_out_tokens:,} tokens, in {out}-validation")
    for reason, number in record.dropped.most_common():
        click.echo(f"left out: {number:,} {reason}")
    for example in record.examples:
        click.echo(f"  {example}", err=True)
