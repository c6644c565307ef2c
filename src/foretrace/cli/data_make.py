"""`foretrace data make`."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

import click

from foretrace.cli import options

_EXAMPLES = """\b
Examples:
  foretrace data make traces/ toolz-1.2.0.tar.gz src/mypackage synthesised:1000
  foretrace data make traces/ programs.jsonl --sandbox bubblewrap --workers 8
  foretrace data make traces/ *.tar.gz --without HumanEval.jsonl --without mbpp.jsonl
  foretrace data make traces/ src/ --narrate --server http://localhost:8000/v1 --model qwen3
  foretrace data make traces/ tests:toolz-1.2.0.tar.gz --set python=venv/bin/python
  foretrace data make s3://bucket/traces functions.jsonl --engine ray --address auto

A source is a folder, a .py file, a wheel, an sdist, a .jsonl file of {code, input} (CRUXEval's form), of {path, source} or
of contest programs {solution, inputs, outputs}, tests:PATH for a repository's own tests, synthesised:COUNT@SEED, or
short:COUNT@SEED.
"""


@click.command("make", epilog=_EXAMPLES)
@click.argument("folder")
@click.argument("sources", nargs=-1, required=True)
@click.option("--engine", default="local", show_default=True, help="Who runs it: local (processes) or ray (a cluster).")
@click.option("--workers", type=click.IntRange(min=0), metavar="N", help="At a time; by default as many as processors.")
@click.option("--address", metavar="ADDRESS", help="Of a running Ray cluster; auto: the one that this machine is in.")
@click.option("--sandbox", default="process", show_default=True, help="Where the code runs: process or bubblewrap.")
@click.option("--without", "benchmarks", multiple=True, metavar="FILE", help="A benchmark that nothing may resemble.")
@click.option("--licence", default="", metavar="SPDX", help="Of sources that do not tell theirs.")
@click.option("--seed", default=0, show_default=True, help="Of everything that is drawn.")
@click.option("--narrate", is_flag=True, help="Also tell each trace in words.")
@click.option("--server", default="", metavar="URL", help="Of a model that proposes arguments and narrates.")
@click.option("--model", default="", metavar="NAME", help="Its name there.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Another setting, such as tries=300.")
@options.as_json
def command(
    folder: str,
    sources: tuple[str, ...],
    engine: str,
    workers: int | None,
    address: str | None,
    sandbox: str,
    benchmarks: tuple[str, ...],
    licence: str,
    seed: int,
    narrate: bool,
    server: str,
    model: str,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make a dataset of traces: find functions and arguments, run them in a sandbox, keep what is worth keeping.

    Killed and started again, it goes on where it was; the same sources and seed give the same bytes.
    """
    from foretrace.cli.progress import Bar
    from foretrace.data.pipeline.definition import Definition
    from foretrace.data.pipeline.engines import open_engine
    from foretrace.data.pipeline.make import make
    from foretrace.recipes.overrides import override

    absolute = tuple(_absolute(source) for source in sources)
    definition = Definition(sources=absolute, benchmarks=tuple(map(os.path.abspath, benchmarks)))
    definition = replace(
        definition, sandbox=sandbox, licence=licence, seed=seed, narrate=narrate, server=server, model=model
    )
    definition = override(definition, settings)
    if workers is None:
        workers = os.cpu_count() or 1 if engine == "local" else 0
    with Bar("starting") as bar:
        manifest = make(definition, folder, open_engine(engine, workers, address), _shown(bar))
    if as_json:
        options.write_json({"v": 1, **manifest})
        return
    traces, subjects, tokens = (manifest["counts"].get(name, 0) for name in ("traces", "subjects", "tokens"))
    click.echo(
        f"{traces:,} traces of {subjects:,} programs, about {tokens:,} tokens, in {folder}; "
        f"left out: {sum(manifest['dropped'].values()):,}\nlook at it: foretrace data stats {folder}"
    )


def _absolute(source: str) -> str:
    """A source as other processes, and other machines with the same folders, understand it."""
    if source.startswith(("synthesised:", "short:")) or "://" in source:
        return source
    prefix = "tests:" if source.startswith("tests:") else ""
    return prefix + os.path.abspath(source.removeprefix(prefix))


def _shown(bar: "Callable[[int, int], None]") -> "Callable[[str, int, int, Counter[str]], None]":
    titles: dict[str, str] = {"find": "finding code", "choose": "choosing", "execute": "recording", "tests": "running tests"}

    def show(stage: str, done: int, wanted: int, counted: Counter[str]) -> None:
        told = ", ".join(f"{number:,} {name}" for name, number in _worth_telling(counted))
        bar.describe(f"{titles.get(stage, stage)} ({told})")  # type: ignore[attr-defined]
        bar(done, wanted)

    return show


def _worth_telling(counted: Counter[str]) -> Iterable[tuple[str, int]]:
    return ((name, counted[name]) for name in ("subjects", "traces", "tokens") if counted[name])
