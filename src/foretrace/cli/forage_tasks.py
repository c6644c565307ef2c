"""`foretrace forage tasks`."""

import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretrace.cli import options
from foretrace.errors import UsageError

if TYPE_CHECKING:
    from foretrace.cli.progress import Bar
    from foretrace.forager.tasks.making import Made, Order

_EXAMPLES = """\b
Examples:
  foretrace forage tasks images -o tasks.jsonl --count 20 -j 4
  foretrace forage tasks images/toolz-1.2.0 -o tasks.jsonl --hints nothing --operator return_removed
  foretrace forage tasks -o fixes.jsonl --issues checkout/ --images images --count 10
  foretrace forage tasks -o fixes.jsonl --issues semver==3.0.1,3.0.2,3.0.3 --images images --lines 3000

\b
Tasks are in SWE-bench's form. Beside FILE.jsonl is the folder FILE.worlds: the repositories with the mistakes in them.
Killed and started again with the same settings, it goes on where it was; a larger --count adds to what is there.

Exit codes: 0 done, 1 some image or repository had a problem, 2 usage, 3 no sandbox.
"""
_POLL = 0.5


@click.command("tasks", epilog=_EXAMPLES)
@click.argument("images", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Where to."
)
@click.option("--count", type=click.IntRange(min=1), default=20, show_default=True, help="Of each image or repository.")
@click.option("--seed", default=0, show_default=True, help="Of what is mutated and how it is told.")
@click.option(
    "--hints", default="function", show_default=True, help="What is told: function, tests, traceback, file, nothing."
)
@click.option("--operator", "operators", multiple=True, metavar="NAME", help="Only such mistakes.  [default: all]")
@click.option("--issues", multiple=True, metavar="REPO", help="A git repository, or NAME==1.0,1.1: its fixes become tasks.")
@click.option(
    "--images", "built", type=click.Path(path_type=Path), metavar="DIR", help="Where images for --issues are built."
)
@click.option("--offline", is_flag=True, help="Fetch nothing for these images but what is there already.")
@click.option("--lines", type=click.IntRange(min=1), default=400, show_default=True, help="Of a fix, at most.")
@click.option("--seconds", type=options.Finite(1, 86_400), default=300.0, show_default=True, help="Of a run of the tests.")
@click.option("-j", "--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--sandbox", default="bubblewrap", show_default=True, help="Where code of repositories runs.")
@options.as_json
def command(
    images: tuple[Path, ...],
    out: Path,
    count: int,
    seed: int,
    hints: str,
    operators: tuple[str, ...],
    issues: tuple[str, ...],
    built: Path | None,
    offline: bool,
    lines: int,
    seconds: float,
    workers: int,
    sandbox: str,
    as_json: bool,
) -> None:
    """Make tasks of IMAGES (or folders of them): mistakes in code that passing tests run, kept if tests then fail.

    Each is validated in a fresh sandbox: the right answer solves it, and no answer does not. With --issues, tasks are made
    of commits that changed code and tests: the tests fail before, and pass after.
    """
    from foretrace.forager.tasks.instance import write_instances
    from foretrace.forager.tasks.issues import IssueOptions
    from foretrace.forager.tasks.making import Order, images_in, note_images
    from foretrace.forager.tasks.mutate import MutateOptions
    from foretrace.repos.batch import check_backend
    from foretrace.repos.build import BuildOptions
    from foretrace.repos.image import load_image

    worlds = out.with_suffix(".worlds").absolute()
    if not images and not issues:
        raise UsageError("of what? Give images (foretrace repos build SOURCES -o images), or --issues REPO")
    if issues and built is None:
        raise UsageError("--issues builds an image of each commit before a fix; say where to: --images DIR")
    mutate = MutateOptions(hints=_hints(hints), seconds=seconds, backend=sandbox, **_operators(operators))
    fixes = IssueOptions(lines=lines, seconds=seconds, build=BuildOptions(backend=sandbox, network=not offline))
    common: dict[str, Any] = {"worlds": str(worlds), "seed": seed, "count": count, "mutate": mutate, "issues": fixes}
    orders = [Order(place=str(place), **common) for place in _images(images)]
    orders += [Order(place=_place(repo), images=str(built and built.absolute()), **common) for repo in issues]
    check_backend(sandbox)
    made = _make(orders, workers, as_json)
    note_images(worlds, {load_image(order.place).digest: order.place for order in orders if not order.images})
    if built is not None and built.is_dir():
        note_images(worlds, images_in([built]))
    found = [instance for each in made for instance in each.instances]
    write_instances(out, found)
    if not as_json:
        click.echo(f"{len(found):,} tasks in {out}")
        if found:
            click.echo(f"let a policy at them: foretrace forage run {out} --policy search -o run")
    sys.exit(1 if any(each.problem for each in made) else 0)


def _images(paths: Sequence[Path]) -> list[Path]:
    """Folders of images, those of folders of folders among them."""
    from foretrace.repos import list_images
    from foretrace.repos.image import MANIFEST

    found = []
    for path in paths:
        inside = [path] if (path / MANIFEST).exists() else [image.folder for image in list_images(path)]
        if not inside:
            raise UsageError(f"there is no image in {path}; make one: foretrace repos build SOURCES -o {path}")
        found += [folder.absolute() for folder in inside]
    return list(dict.fromkeys(found))


def _place(repo: str) -> str:
    from foretrace.forager.tasks.making import RELEASES

    if RELEASES.fullmatch(repo):
        return repo
    if not Path(repo).is_dir():
        raise UsageError(f"{repo}: no such folder; a repository is a checkout, a bare one, or releases: semver==3.0.1,3.0.2")
    return str(Path(repo).absolute())


def _hints(name: str) -> str:
    from foretrace.forager.tasks.statements import HINTS

    if name not in HINTS:
        raise UsageError(f"no level of hints {name!r}; there are: {', '.join(HINTS)}")
    return name


def _operators(names: Sequence[str]) -> dict[str, Any]:
    from foretrace.forager.mutation.operators import OPERATORS

    if unknown := [name for name in names if name not in OPERATORS]:
        raise UsageError(f"no operator {unknown[0]!r}; there are: {', '.join(OPERATORS)}")
    return {"operators": tuple(names)} if names else {}


def _make(orders: "Sequence[Order]", workers: int, as_json: bool) -> "list[Made]":
    """Carries out orders, one process each; what became of them, in their order."""
    from foretrace.cli.progress import Bar
    from foretrace.data.workers import Workers
    from foretrace.forager.tasks.making import make_tasks

    made: dict[str, Made] = {}
    with Bar("making tasks") as bar, _polled(bar, orders), Workers(min(workers, len(orders))) as run:
        for each in run(make_tasks, orders):
            made[each.place] = each
            if as_json:
                options.write_json(_told(each))
            else:
                bar.console.print(_line(each), highlight=False, soft_wrap=True, markup=False, emoji=False)
    return [made[order.place] for order in orders]


@contextmanager
def _polled(bar: "Bar", orders: "Sequence[Order]") -> Iterator[None]:
    """Shows what processes have found, while they are at it."""
    from foretrace.forager.tasks.making import tally

    over = threading.Event()

    def show() -> None:
        while not over.wait(_POLL):
            found = sum(map(tally, orders), Counter[str]())
            valid = found.pop("", 0)
            bar.describe(f"{valid:,} valid, {found.total():,} rejected{_reasons(found)}")
            bar(valid, sum(order.count for order in orders))

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _reasons(found: Mapping[str, int]) -> str:
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return f" ({', '.join(f'{number:,} {name}' for name, number in ordered)})" if ordered else ""


def _line(made: "Made") -> str:
    """What became of an order, in one line."""
    rejected = sum(made.rejected.values())
    told = f"{made.place}  {len(made.instances):,} tasks, {rejected:,} rejected{_reasons(made.rejected)}"
    return f"✗ {told}: {made.problem}" if made.problem else f"✓ {told}"


def _told(made: "Made") -> dict[str, Any]:
    told = {"v": 1, "place": made.place, "tasks": [instance.instance_id for instance in made.instances]}
    return told | {"rejected": dict(made.rejected), "problem": made.problem}
