"""`foretrace forage`. Its commands are imported when they are used."""

import click

from foretrace.cli.subcommands import TableGroup

SUBCOMMANDS = {
    "tasks": ("foretrace.cli.forage_tasks", "make tasks: mistakes that tests tell, or fixes of a history"),
    "run": ("foretrace.cli.forage_run", "let policies work on tasks, and grade what they submit"),
    "show": ("foretrace.cli.forage_show", "the episodes of a run; one of them as a story"),
    "export": ("foretrace.cli.forage_export", "trajectories in the formats of others"),
    "stats": ("foretrace.cli.forage_stats", "what a run came to, in numbers"),
}
"""Name: the module that has it as `command`, and what it does."""

EXAMPLES = """\b
Examples:
  foretrace repos build toolz==1.2.0 funcy==2.1 -o images
  foretrace forage tasks images -o tasks.jsonl --count 20
  foretrace forage run tasks.jsonl --policy search -o run -j 8
  foretrace forage stats run
  foretrace forage show run toolz --html story.html
  foretrace data pack run -o shards/forager --tokenizer runs/small --max-tokens 32k
"""


@click.group("forage", cls=TableGroup, table=SUBCOMMANDS, epilog=EXAMPLES)
def command() -> None:
    """Agents that repair repositories: tasks for them, their runs, what they did.

    Nothing of a repository runs outside a sandbox. Needs: pip install "foretrace[forager]".
    """
