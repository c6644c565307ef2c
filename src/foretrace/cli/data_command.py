"""`foretrace data`. Its commands are imported when they are used."""

import click

from foretrace.cli.subcommands import TableGroup

SUBCOMMANDS = {
    "make": ("foretrace.cli.data_make", "make one: find code and arguments, run, record, choose, write"),
    "pack": ("foretrace.cli.data_pack", "turn it, or texts and chats, into shards of tokens to train on"),
    "questions": ("foretrace.cli.data_questions", "conversations for fine-tuning, from its calls"),
    "stats": ("foretrace.cli.data_stats", "what a dataset holds, in numbers"),
    "show": ("foretrace.cli.data_show", "one of its traces: step by step, as text, as tokens, in words"),
    "sample": ("foretrace.cli.data_sample", "some of its traces at random, briefly"),
    "sql": ("foretrace.cli.data_sql", "query it with SQL"),
    "why": ("foretrace.cli.data_why", "why something is not in it"),
    "report": ("foretrace.cli.data_report", "one HTML page about it, with plots"),
}
"""Name: the module that has it as `command`, and what it does."""

EXAMPLES = """\b
Examples:
  foretrace data make traces/ toolz-1.2.0.tar.gz synthesised:1000
  foretrace data pack traces/ -o shards --tokenizer tiny
  foretrace data stats traces/
  foretrace data show traces/ 1 --tokens
  foretrace data sql traces/ "SELECT kind, count(*) FROM traces GROUP BY 1"
  foretrace data why traces/ toolz::first
"""


@click.group("data", cls=TableGroup, table=SUBCOMMANDS, epilog=EXAMPLES)
def command() -> None:
    """Make datasets of traces, and look at them.

    A dataset is a folder of Parquet files, which DuckDB, pandas, Polars and datasets read too. Needs: pip install
    "foretrace[data]".
    """
