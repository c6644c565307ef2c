"""`foretrace eval list`."""

import click

from foretrace.cli import options

_EXAMPLES = """\b
Examples:
  foretrace eval list
  foretrace eval list cruxeval-o halting
"""


@click.command("list", epilog=_EXAMPLES)
@click.argument("names", nargs=-1, metavar="[BENCHMARK]…")
@options.as_json
def command(names: tuple[str, ...], as_json: bool) -> None:
    """Benchmarks; of those that are named, all that is to be known."""
    from foretrace.evals.benchmarks import benchmarks, find_benchmark

    if not names and not as_json:
        width = max(map(len, benchmarks()))
        for name, about in benchmarks().items():
            click.echo(f"{name:<{width}}  {about}")
        return
    for benchmark in map(find_benchmark, names or benchmarks()):
        files = [f"{file.name} ({file.rows} rows, {file.licence}): {file.source}" for file in benchmark.files]
        if as_json:
            styles = {name: style.source for name, style in benchmark.styles.items()}
            told = {key: getattr(benchmark, key) for key in ("name", "title", "about", "is_executing", "source", "note")}
            options.write_json({"v": 1, **told, "styles": styles, "files": files, "measures": list(benchmark.measures)})
            continue
        click.echo(f"{benchmark.name}: {benchmark.title}\n  {benchmark.about}\n  source: {benchmark.source}")
        click.echo("\n".join(f"  file: {file}" for file in files) or "  made here: no file is needed")
        for name, style in benchmark.styles.items():
            sampling = style.sampling
            drawn = f"{sampling.samples} × T={sampling.temperature:g}, {sampling.max_tokens} tokens"
            click.echo(f"  style: {name} ({drawn}) {style.source}")
        if benchmark.note:
            click.echo(f"  note: {benchmark.note}")
