"""`foretrace forage run`."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from foretrace.cli import options
from foretrace.errors import UsageError

if TYPE_CHECKING:
    from foretrace.forager.campaign import Campaign, Done, Work
    from foretrace.forager.policies.named import NamedPolicy
    from foretrace.forager.runs import Run

_EXAMPLES = """\b
Examples:
  foretrace forage run tasks.jsonl --policy search -o run -j 8
  foretrace forage run tasks.jsonl --policy oracle --policy null -o gates
  foretrace forage run tasks.jsonl --policy http://localhost:8000/v1,model=qwen3 -o run -j 16 --turns 60
  foretrace forage run tasks.jsonl --policy https://host/v1,model=m,prices=0.2+0.6 --cost 0.50 -o run
  foretrace forage run tasks.jsonl --policy http://localhost:8000/v1,model=cwm,style=cwm -o run
  foretrace forage run tasks.jsonl --policy replay:run -o again
  foretrace forage run tasks.jsonl --policy search -o /shared/run --engine ray --address auto

\b
A policy is search, oracle, null, random, human, replay:PATH, or an OpenAI-compatible URL with ,model=NAME and
maybe ,style=functions|cwm|text ,temperature= ,max_tokens= ,timeout= ,concurrency= ,prices=IN+OUT. The key of a server
is in $OPENAI_API_KEY. search takes ,seconds= ,candidates= ,wrong=.

\b
Stopped (Ctrl-C) or killed and started again, it goes on where it was: what is finished is not run again, an episode
that was interrupted is taken up. Whether a task is solved is found out in a fresh sandbox, by tests that the agent
cannot have touched.

Exit codes: 0 all were run, solved or not; 1 some are invalid (server or sandbox failed: start again), or it was
stopped; 2 usage; 3 no sandbox.
"""


_STOPPED = 1
"""The exit code of all commands that Ctrl-C ends."""


@click.command("run", epilog=_EXAMPLES)
@click.argument("tasks", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--policy", "policies", multiple=True, required=True, metavar="POLICY", help="Who acts; may be given again.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), metavar="RUN", help="The folder of the run.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Only the first tasks.")
@click.option("--seed", default=0, show_default=True, help="Of the policy, and of what is learnt of a trajectory.")
@click.option(
    "--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Episodes of each task, from --seed on."
)
@click.option("--images", multiple=True, type=click.Path(path_type=Path), metavar="DIR", help="Where images are now.")
@click.option("-j", "--workers", type=click.IntRange(min=1), metavar="N", help="Episodes at a time.  [default: 1; ray: all]")
@click.option("--engine", default="local", show_default=True, help="Who runs them: local (threads) or ray (a cluster).")
@click.option("--address", metavar="ADDRESS", help="Of a running Ray cluster; auto: the one that this machine is in.")
@click.option("--turns", type=click.IntRange(min=1), default=128, show_default=True, help="Of an episode.")
@click.option("--tokens", callback=lambda *a: options.parse_count(a[2]), default="128k", show_default=True, help="The same.")
@click.option("--seconds", type=options.Finite(1, 864_000), default=3600.0, show_default=True, help="The same.")
@click.option("--cost", type=options.Finite(0, min_open=True), metavar="MONEY", help="The same; needs prices.")
@click.option(
    "--preamble", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE", help="A model's first words."
)
@click.option("--grade/--no-grade", default=True, help="Whether submissions are graded.  [default: yes]")
@click.option("--sandbox", default="bubblewrap", show_default=True, help="Where agents work.")
@options.as_json
def command(
    tasks: Path,
    policies: tuple[str, ...],
    out: Path,
    count: int | None,
    seed: int,
    seeds: int,
    images: tuple[Path, ...],
    workers: int | None,
    engine: str,
    address: str | None,
    turns: int,
    tokens: int,
    seconds: float,
    cost: float | None,
    preamble: Path | None,
    grade: bool,
    sandbox: str,
    as_json: bool,
) -> None:
    """Let policies work on TASKS, each episode in a sandbox of its own, and grade what they submit."""
    from foretrace.forager.agent import Setting
    from foretrace.forager.budgets import Budgets
    from foretrace.forager.campaign import Campaign, Work
    from foretrace.forager.policies.named import read_policy
    from foretrace.repos.batch import check_backend

    named = [read_policy(policy) for policy in dict.fromkeys(policies)]
    _check(named, cost, workers, engine)
    run = _run(tasks, out, images)
    check_backend(sandbox)
    budgets = Budgets(turns=turns, tokens=tokens, seconds=seconds, cost=cost)
    sentences = preamble.read_text(encoding="utf-8") if preamble else ""
    campaign = Campaign(run=run, setting=Setting(budgets=budgets, backend=sandbox, preamble=sentences), grade=grade)
    works = [
        Work(task=task, policy=policy, seed=number)
        for number in range(seed, seed + seeds)
        for policy in named
        for task in list(run.instances)[:count]
    ]
    try:
        counted = _shown(_carried_out(engine, workers, address)(campaign, works), len(works), as_json)
    except KeyboardInterrupt:
        if engine != "local":
            raise
        _stop(run)
    if not as_json:
        _tell(counted, out, grade)
    sys.exit(1 if counted["invalid"] else 0)


def _check(named: "Sequence[NamedPolicy]", cost: float | None, workers: int | None, engine: str) -> None:
    """Refuses what cannot go together before anything is begun."""
    if cost is not None and not any("prices" in policy.values for policy in named):
        raise UsageError("--cost needs prices: --policy URL,model=NAME,prices=IN+OUT, of a million tokens each")
    if any(policy.kind == "human" for policy in named) and (engine != "local" or (workers or 1) > 1):
        raise UsageError("you can do one episode at a time: the policy human wants --engine local and -j 1")


def _run(tasks: Path, out: Path, images: Sequence[Path]) -> "Run":
    from foretrace.forager.runs import Run
    from foretrace.forager.tasks.instance import read_instances
    from foretrace.forager.tasks.making import images_in, known_images

    instances = list(read_instances(tasks))
    if not instances:
        raise UsageError(f"there are no tasks in {tasks}; make some: foretrace forage tasks images -o {tasks}")
    worlds = tasks.with_suffix(".worlds").absolute()
    known = known_images(worlds) | images_in(images)
    missing = {instance.image for instance in instances} - known.keys()
    if missing:
        named = next(instance.instance_id for instance in instances if instance.image in missing)
        raise UsageError(f"the images of {len(missing)} tasks, such as {named}, are not known here; say where: --images DIR")
    return Run.begin(out, instances, images=known, worlds=worlds)


def _carried_out(
    engine: str, workers: int | None, address: str | None
) -> "Callable[[Campaign, Sequence[Work]], Iterator[Done]]":
    """What runs a campaign's works: threads of this process, as episodes wait for servers and sandboxes; or a cluster."""
    if engine == "local":
        from foretrace.endpoint.threads import in_threads

        return lambda campaign, works: in_threads(campaign, works, threads=workers or 1, name="episode", wait=False)
    if engine == "ray":
        from foretrace.data.pipeline.engines import on_ray

        return lambda campaign, works: on_ray(campaign, works, workers=workers or 0, address=address)
    raise UsageError(f"no engine called {engine!r}; there are: local, ray")


def _shown(found: "Iterable[Done]", wanted: int, as_json: bool) -> "Counter[str]":
    """Tells what comes, and counts it."""
    from foretrace.cli.progress import Bar

    counted: Counter[str] = Counter()
    with Bar("running episodes") as bar:
        bar(0, wanted)
        for number, done in enumerate(found, 1):
            counted[_outcome(done)] += 1
            if as_json:
                options.write_json({"v": 1, **done.to_json()})
            elif done.is_invalid:
                line = f"✗ {done.task} ({done.policy}, seed {done.seed}): {done.reason}"
                bar.console.print(line, highlight=False, soft_wrap=True, markup=False, emoji=False)
            bar.describe(", ".join(f"{counted[name]:,} {name}" for name in ("solved", "failed", "invalid")))
            bar(number, wanted)
    return counted


def _stop(run: "Run") -> NoReturn:
    """Ends this process at once. Threads cannot be stopped in the midst of an episode, and need not be: a journal holds
    whatever is done at any moment, and sandboxes end with the process that has them.
    """
    finished = len(run.names())
    click.echo(f"stopped: {finished:,} episodes in {run.folder} are finished; start this again for the rest", err=True)
    sys.stdout.flush()
    os._exit(_STOPPED)


def _outcome(done: "Done") -> str:
    from foretrace.forager.campaign import UNGRADED

    if done.is_invalid:
        return "invalid"
    return "ungraded" if done.verdict == UNGRADED else "solved" if done.is_solved else "failed"


def _tell(counted: "Counter[str]", out: Path, grade: bool) -> None:
    known = counted["solved"] + counted["failed"]
    if grade:
        rate = f" ({counted['solved'] / known:.0%})" if known else ""
        click.echo(f"{counted['solved']:,} of {known:,} solved{rate}, {counted['invalid']:,} invalid, in {out}")
    else:
        click.echo(f"{counted.total():,} episodes in {out}, not graded")
    click.echo(f"what came of it: foretrace forage stats {out}; one as a story: foretrace forage show {out} NAME")
