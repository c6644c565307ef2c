"""`foretrace data questions`."""

import json
from collections import Counter
from pathlib import Path

import click

from foretrace.cli import options

_EXAMPLES = """\b
Examples:
  foretrace data questions traces/ -o questions.jsonl
  foretrace data questions traces/ -o outputs.jsonl --task output
  foretrace data pack questions.jsonl -o shards/questions --tokenizer runs/tiny
"""


@click.command("questions", epilog=_EXAMPLES)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="A file of JSON Lines, replaced.")
@click.option("--task", "tasks", multiple=True, help="output or program; by default both.")
@click.option("--seed", default=0, show_default=True, help="Of which calls are asked for.")
@options.as_json
def command(folder: Path, output: Path, tasks: tuple[str, ...], seed: int, as_json: bool) -> None:
    """Conversations for fine-tuning from a dataset of traces.

    Asked is what a call returns, and which function gives the results shown; the answers are what really happened.
    """
    from foretrace.data.dataset import open_dataset
    from foretrace.data.questions import Asking, conversations

    asking = Asking(tasks=tasks) if tasks else Asking()
    counts: Counter[str] = Counter()
    temporary = output.with_name(output.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        for conversation in conversations(open_dataset(folder), asking, seed):
            file.write(json.dumps(conversation, ensure_ascii=False) + "\n")
            counts[conversation["task"]] += 1
    temporary.replace(output)
    if as_json:
        options.write_json({"v": 1, "output": str(output), **counts})
    else:
        click.echo(f"{output}: " + ", ".join(f"{n:,} of task {task}" for task, n in sorted(counts.items())))
