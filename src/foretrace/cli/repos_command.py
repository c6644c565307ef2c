"""`foretrace repos`: makes executable images of repositories, lists them, runs their tests again."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretrace.cli import options

if TYPE_CHECKING:
    from foretrace.repos import Built, RepoImage
    from foretrace.repos.check import Checked

_BACKEND = click.option("--sandbox", default="bubblewrap", show_default=True, help="Where code of repositories runs.")
_NOT_BUILT = 1

_EXAMPLES = """\b
Examples:
  foretrace repos build toolz==1.2.0 funcy==2.1 -o images
  foretrace repos build src/project git+https://host/project.git@v2 releases.jsonl -o images -j 8
  foretrace repos list images
  foretrace repos check images toolz-1.2.0
"""


@click.group("repos", epilog=_EXAMPLES)
def command() -> None:
    """Repositories that can be changed and tested: images with all that their tests need, made without a model.

    An image is a folder: files, an environment, and a manifest of how each test ended. Nothing of a repository runs outside
    a sandbox.
    """


@command.command(
    short_help="make images of releases, folders, git repositories",
    epilog="""\b
Examples:
  foretrace repos build toolz==1.2.0 -o images
  foretrace repos build project/ --python 3.12 -o images
  foretrace repos build sources.jsonl -o images -j 8 --json

\b
A source is NAME==VERSION (a release on the package index that pip is configured for), a folder, an sdist, git+URL,
git+URL@REVISION, or a .jsonl file of {"source": one of these}.

Exit codes: 0 all are built, 1 some are not, 2 usage, 3 no sandbox.
""",
)
@click.argument("sources", nargs=-1, required=True)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="The folder of images.")
@click.option("-j", "--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Images at a time.")
@click.option("--python", default="", metavar="VERSION", help="For all, as 3.12; else each has one that suits it.")
@click.option("--installer", default="", metavar="NAME", help="uv or pip.  [default: uv, if it is there]")
@click.option("--offline", is_flag=True, help="Fetch nothing: only what earlier builds into DIR have fetched.")
@click.option("--retry", is_flag=True, help="Also try again what failed before.")
@click.option("--runs", type=click.IntRange(min=1), default=3, show_default=True, help="Of the tests, to find flaky ones.")
@click.option("--least", type=options.Finite(0, 1), default=0.8, show_default=True, help="Share of tests that must pass.")
@click.option("--seconds", type=options.Finite(1, 86_400), default=900.0, show_default=True, help="Of a run of the tests.")
@_BACKEND
@options.as_json
def build(
    sources: tuple[str, ...],
    out: Path,
    workers: int,
    python: str,
    installer: str,
    offline: bool,
    retry: bool,
    runs: int,
    least: float,
    seconds: float,
    sandbox: str,
    as_json: bool,
) -> None:
    """Build images of SOURCES: find out how each is installed and tested, do it in a sandbox, run its tests several times.

    Killed and started again, it goes on where it was. What failed is kept with its log in DIR/.failed.
    """
    from foretrace.cli.progress import Bar
    from foretrace.repos import BuildOptions, TestLimits, build_all, read_sources

    wanted = list(read_sources(sources))
    limits = TestLimits(least=least, runs=runs, seconds=seconds)
    chosen = BuildOptions(
        backend=sandbox, python=python, installer=installer, network=not offline, tests=limits, retry=retry
    )
    failed = 0
    with Bar("building images") as bar:
        bar(0, len(wanted))
        for number, built in enumerate(build_all(wanted, out, chosen, workers=workers), 1):
            failed += built.image is None
            if as_json:
                options.write_json(_built(built))
            else:
                bar.console.print(_line(built), highlight=False, soft_wrap=True, markup=False, emoji=False)
            bar(number, len(wanted))
    if not as_json:
        click.echo(f"{len(wanted) - failed} of {len(wanted)} built in {out}" + _advice(failed, out, retry))
    sys.exit(_NOT_BUILT if failed else 0)


def _built(built: "Built") -> dict[str, Any]:
    told = {"v": 1, "source": built.source, "ok": built.image is not None, "was_there": built.was_there}
    told |= {"seconds": round(built.seconds, 3)}
    return told | (_summary(built.image) if built.image else {"reason": built.reason})


def _line(built: "Built") -> str:
    """What became of a source, in one line."""
    if built.image is None:
        return f"✗ {built.source}: {built.reason}" + (" (before; --retry tries again)" if built.was_there else "")
    counts = built.image.counts
    told = [f"{counts.get('passed', 0):,} of {counts['all']:,} tests pass"]
    told += [f"{counts['flaky']:,} flaky"] if counts["flaky"] else []
    told += [f"tests {built.image.seconds:.1f} s", f"built in {built.image.build_seconds:.0f} s"]
    return f"✓ {built.name}  " + ", ".join(told) + (" (there already)" if built.was_there else "")


def _advice(failed: int, out: Path, retry: bool) -> str:
    again = "" if retry else "; foretrace repos build --retry tries them again"
    return f"; why not the others: {out}/.failed{again}" if failed else f"\nlook at them: foretrace repos list {out}"


@command.command(
    "list",
    short_help="what a folder of images holds",
    epilog="\b\nExamples:\n  foretrace repos list images\n  foretrace repos list images --json\n",
)
@click.argument("folder", type=click.Path(path_type=Path))
@options.as_json
def list_(folder: Path, as_json: bool) -> None:
    """List the images of FOLDER: their tests, how long they take, how large they are; and what has none, and why."""
    from foretrace.repos import list_images
    from foretrace.repos.failures import list_failures

    images, failed = list_images(folder), list_failures(folder)
    if as_json:
        for image in images:
            options.write_json({"v": 1, "ok": True, **_summary(image)})
        for failure in failed:
            options.write_json({"v": 1, "ok": False, "source": failure.source, "reason": failure.reason})
        return
    from rich.console import Console
    from rich.table import Table

    from foretrace.data.quantities import size

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("image", no_wrap=True)
    table.add_column("licence", no_wrap=True, max_width=12)
    for name in ("pass", "flaky", "other", "run s", "build s", "size"):
        table.add_column(name, justify="right", no_wrap=True)
    for image in images:
        counts = image.counts
        passed, flaky = counts.get("passed", 0), counts["flaky"]
        numbers = [f"{passed:,}", f"{flaky:,}" if flaky else "", f"{counts['all'] - passed - flaky or ''}"]
        numbers += [f"{image.seconds:.1f}", f"{image.build_seconds:.0f}", size(image.bytes)]
        table.add_row(image.name, image.origin.licence, *numbers)
    Console().print(table)
    total = sum(image.new_bytes for image in images)
    tests = sum(image.counts.get("passed", 0) for image in images)
    click.echo(f"{len(images)} images, {tests:,} tests that pass, {size(total)} on disk: equal files are kept once")
    for failure in failed:
        click.echo(f"✗ {failure.source}: {failure.reason}")


def _summary(image: "RepoImage") -> dict[str, Any]:
    told = {"name": image.name, "origin": image.as_json()["origin"], "digest": image.digest, "python": image.python}
    told |= {"counts": image.counts, "test_seconds": image.seconds, "build_seconds": image.build_seconds}
    return told | {"bytes": image.bytes, "new_bytes": image.new_bytes, "test_command": image.test_command}


@command.command(
    short_help="run the tests of images again, and compare",
    epilog="""\b
Examples:
  foretrace repos check images
  foretrace repos check images toolz-1.2.0 funcy-2.1 --json

Exit codes: 0 all is as it was built, 1 something is not, 2 usage, 3 no sandbox.
""",
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("names", nargs=-1)
@_BACKEND
@options.as_json
def check(folder: Path, names: tuple[str, ...], sandbox: str, as_json: bool) -> None:
    """Run the tests of images again in a fresh sandbox, and compare them, and the files, with the manifests."""
    from foretrace.repos import list_images, load_image
    from foretrace.repos.batch import check_backend
    from foretrace.repos.check import check as run_check

    images = [load_image(folder / name) for name in names] or list_images(folder)
    check_backend(sandbox)
    bad = 0
    for image in images:
        found = run_check(image, backend=sandbox)
        bad += not found.ok
        if as_json:
            options.write_json(_checked(found))
        else:
            click.echo(_check_line(found))
    sys.exit(1 if bad else 0)


def _checked(found: "Checked") -> dict[str, Any]:
    told = {"v": 1, "name": found.image.name, "ok": found.ok, "changed": list(found.changed), "flaky": found.flaky}
    told |= {"different": found.different, "doubts": list(found.run.doubts), "ended": found.run.ended}
    return told | {"seconds": round(found.run.seconds, 3)}


def _check_line(found: "Checked") -> str:
    """An image's check in a line, and what is not as it was below it."""
    bad = [f"its files have changed in {layer}" for layer in found.changed] + [f"! {doubt}" for doubt in found.run.doubts]
    bad += [f"ended early: {found.run.ended}"] if found.run.ended else []
    bad += [f"{name}: {what}" for name, what in list(found.different.items())[:20]]
    bad += [f"… and {len(found.different) - 20:,} more"] if len(found.different) > 20 else []
    flaky = f", {found.flaky} flaky ones differ" if found.flaky else ""
    mark, run = "✓" if found.ok else "✗", found.run
    head = f"{mark} {found.image.name}  {len(run.passed):,} tests pass in {run.seconds:.1f} s{flaky}"
    return "\n    ".join([head, *bad])
