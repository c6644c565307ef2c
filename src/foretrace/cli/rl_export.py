"""`foretrace rl export`."""

import json
from pathlib import Path

import click

from foretrace.cli import options
from foretrace.errors import UsageError


@click.command(
    "export",
    epilog="""\b
Examples:
  foretrace rl export runs/rl -o solved
  foretrace rl export runs/rl -o solved --most 4
  foretrace data pack solved -o shards/solved --tokenizer runs/rl/checkpoint
""",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="A new folder.")
@click.option("--solved/--all", "solved", default=True, show_default=True, help="Only what solved its task, or everything.")
@click.option("--most", type=click.IntRange(min=1), default=1, show_default=True, help="Rollouts of a task at most.")
@options.as_json
def command(run: Path, output: Path, solved: bool, most: int, as_json: bool) -> None:
    """Write rollouts as chats (chats.jsonl) and traces (trace-N.jsonl): what foretrace data pack takes.

    Rejection sampling: a policy is fine-tuned on its own answers that were right. Of traces only the value at the end is
    known to be right.
    """
    from foretrace.data.tokenizer import Tokenizer
    from foretrace.rl.export import solved_documents
    from foretrace.rl.records import ROLLOUTS, read_groups
    from foretrace.trace import Trace, write_jsonl

    if not (run / ROLLOUTS).exists():
        raise UsageError(f"{run} has kept no rollouts: {ROLLOUTS} is not there (run.keep_rollouts)")
    if output.exists() and any(output.iterdir()):
        raise UsageError(f"{output} has files already; give a new folder")
    output.mkdir(parents=True, exist_ok=True)
    chats, traces, tokenizer = 0, 0, Tokenizer.load(run / "checkpoint")
    with (output / "chats.jsonl").open("w", encoding="utf-8") as lines:
        for document in solved_documents(read_groups(run / ROLLOUTS), tokenizer, most=most, all_of=not solved):
            if not isinstance(document, Trace):
                chats += 1
                lines.write(json.dumps(document, ensure_ascii=False) + "\n")
            else:
                traces += 1
                with (output / f"trace-{traces:06}.jsonl").open("w", encoding="utf-8") as file:
                    write_jsonl(document, file)
    if not chats:
        (output / "chats.jsonl").unlink()
    if as_json:
        options.write_json({"v": 1, "chats": chats, "traces": traces, "folder": str(output)})
    else:
        click.echo(f"{output}: {chats:,} chats, {traces:,} traces", err=True)
