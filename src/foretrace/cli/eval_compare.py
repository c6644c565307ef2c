"""`foretrace eval compare`."""

from pathlib import Path

import click

from foretrace.cli import options

_EXAMPLES = """\b
Examples:
  foretrace eval compare runs/evals/tiny runs/qwen3
  foretrace eval compare runs/a runs/b cruxeval-o:trace
  foretrace eval compare runs/a runs/a cruxeval-o:trace cruxeval-o:jump
"""


@click.command("compare", epilog=_EXAMPLES)
@click.argument("first", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("second", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("parts", nargs=-1, metavar="[PART [PART]]")
@options.as_json
def command(first: Path, second: Path, parts: tuple[str, ...], as_json: bool) -> None:
    """How much SECOND is better than FIRST on the same items: paired bootstrap, and McNemar's test.

    Compared is what both runs have; or the PART that is named; or, if two are, the first one's with the second one's.
    """
    from foretrace.errors import UsageError
    from foretrace.evals.comparison import compare
    from foretrace.evals.folder import Run

    runs = Run.open(first), Run.open(second)
    if len(parts) > 2:
        raise click.UsageError(f"two parts at most are compared, not {len(parts)}")
    if parts:
        pairs = [(runs[0].part(parts[0]), runs[1].part(parts[-1]))]
    else:
        pairs = [(part, runs[1].parts[name]) for name, part in runs[0].parts.items() if name in runs[1].parts]
    if not pairs:
        raise UsageError(f"{first} and {second} have measured nothing in common")
    for number, pair in enumerate(pairs):
        found = compare(*pair, models=(str(runs[0].model["name"]), str(runs[1].model["name"])))
        if as_json:
            options.write_json(found.to_dict())
        else:
            click.echo(("\n" if number else "") + found.text())
