"""A group of commands that are imported when they are used.

SUBCOMMANDS = {"make": ("foretrace.cli.data_make", "make one")}

@click.group("data", cls=TableGroup, table=SUBCOMMANDS)
def command() -> None: ...
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class TableGroup(click.Group):
    """Lists commands from a table, by name the module that has each as `command` and what it does."""

    def __init__(self, *arguments: Any, table: Mapping[str, tuple[str, str]], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the module of a command."""
        if cmd_name not in self._table:
            return None
        command: click.Command = import_module(self._table[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, meaning) for name, (_, meaning) in self._table.items()])
