"""What the policy `search` repairs, by operator: `python bench/forager/search.py TASKS.jsonl… --images DIR --worlds DIR -o RUN`.

Each instance is one episode, graded in a fresh environment. Finished episodes are not run again: stop and start as you like;
`--report` prints the table of what is there. The paper's mix weighs families by their shares of CWM's trajectories.
"""

import argparse
import math
import statistics
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from foretrace.endpoint.threads import in_threads
from foretrace.forager.campaign import Campaign, Work
from foretrace.forager.grading import Verdict
from foretrace.forager.mutation.operators import FAMILIES
from foretrace.forager.policies.named import read_policy
from foretrace.forager.runs import Run
from foretrace.forager.tasks.instance import Instance, read_instances
from foretrace.forager.trajectory import Trajectory
from foretrace.repos import list_images

COLUMNS = ["operator", "valid", "solved", "exact", "%", "seconds", "p90", "cpu", "p90", "tried", "p90"]


def main() -> None:
    options = _options()
    run = _run(options)
    if not options.report:
        policy = read_policy(options.policy)
        works = [Work(task=name, policy=policy, seed=options.seed) for name in run.instances]
        for done in in_threads(Campaign(run=run), works, threads=options.workers):
            print(
                f"{done.verdict:10} {done.turns:3} turns {done.seconds:7.1f} s  {done.task}  {done.reason[:80]}", flush=True
            )
    for line in report(list(_rows(run))):
        print(line)


def report(rows: list[dict[str, Any]]) -> Iterator[str]:
    """A table by operator, then all, then the paper's mix."""
    by: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by[row["operator"]].append(row)
    yield "  ".join([f"{COLUMNS[0]:22}", *(f"{name:>7}" for name in COLUMNS[1:])])
    for operator, several in [*sorted(by.items()), ("all", rows)]:
        if several:
            yield _line(operator, several)
    shares, weight = 0.0, 0.0
    for share, operators in FAMILIES.values():
        several = [row for operator in operators for row in by.get(operator, ())]
        if several:
            weight += share
            shares += share * sum(row["solved"] for row in several) / len(several)
    if weight:
        yield f"in the paper's mix: {100 * shares / weight:.0f} %"


def _line(operator: str, rows: list[dict[str, Any]]) -> str:
    solved, exact = sum(row["solved"] for row in rows), sum(row["exact"] for row in rows)
    cells = [f"{len(rows)}", f"{solved}", f"{exact}", f"{100 * solved / len(rows):.0f}"]
    for name, form in (("seconds", ".1f"), ("cpu", ".1f"), ("tried", ".0f")):
        values = sorted(row[name] for row in rows)
        cells += [format(statistics.median(values), form), format(values[math.ceil(0.9 * len(values)) - 1], form)]
    return "  ".join([f"{operator:22}", *(f"{cell:>7}" for cell in cells)])


def _rows(run: Run) -> Iterator[dict[str, Any]]:
    for trajectory in run.trajectories():
        instance = run.instances.get(trajectory.header.task)
        if instance is not None and trajectory.result is not None and trajectory.result.grade:
            yield _row(instance, trajectory)


def _row(instance: Instance, trajectory: Trajectory) -> dict[str, Any]:
    assert trajectory.result is not None
    grade = trajectory.result.grade or {}
    found: dict[str, Any] = next(
        (step.action.info["lookahead"] for step in trajectory.steps if "lookahead" in step.action.info), {}
    )
    solved = grade["verdict"] == Verdict.RESOLVED
    return {
        "task": instance.instance_id,
        "operator": instance.mutation.get("operator", instance.source),
        "solved": solved,
        "exact": solved and _changed(trajectory.result.submission) == _changed(instance.patch),
        "seconds": found.get("seconds", 0.0),
        "cpu": found.get("cpu_seconds", 0.0),
        "tried": found.get("tried", 0),
    }


def _changed(patch: str) -> list[str]:
    """The lines that a patch removes and adds."""
    lines = [line for line in patch.splitlines() if line[:1] in ("+", "-") and line[:4] not in ("+++ ", "--- ")]
    return sorted(line.rstrip() for line in lines if line[1:].strip())


def _run(options: argparse.Namespace) -> Run:
    if not options.tasks:
        return Run.open(options.output)
    instances = [instance for path in options.tasks for instance in read_instances(path)][: options.limit]
    images = {image.digest: str(image.folder) for image in list_images(options.images)}
    return Run.begin(options.output, instances, images=images, worlds=options.worlds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", type=Path, help="files of instances")
    parser.add_argument("--images", type=Path, default=Path("images"))
    parser.add_argument("--worlds", type=Path, default=Path("worlds"))
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the run")
    parser.add_argument("--policy", default="search")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=int, help="instances at most")
    parser.add_argument("--report", action="store_true", help="only print what is known")
    return parser.parse_args()


if __name__ == "__main__":
    main()
