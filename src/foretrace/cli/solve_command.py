"""`foretrace solve`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foretrace.cli import options
from foretrace.errors import UsageError

if TYPE_CHECKING:
    from foretrace.solve.receipt import Receipt

_WAYS = ("greedy", "majority", "predicted", "gated", "verified")
_DEFAULT = Path(".foretrace") / "solve.json"
_EXIT = {"verified": 0, "partly verified": 0, "predicted only": 0, "unchecked": 0, "failed": 1, "nothing": 1}


@click.command(
    "solve",
    epilog="""\b
Examples:
  foretrace solve task.md --model http://localhost:8000/v1,model=NAME
  foretrace solve task.md --model runs/examples/sft/checkpoint            a small model, from the examples alone
  foretrace solve task.md --model URL --select predicted                  nothing is run
  foretrace solve task.md --model URL --select gated --certainty 0.97     what is in doubt is run
  foretrace solve --patches predictions.jsonl --tests tests.jsonl --data tasks.jsonl -o chosen.jsonl
  foretrace web .foretrace/solve.json                                     the receipt

Exit codes: 0 what is kept holds, as far as is said; 1 it does not; 2 usage; 3 backend; 4 a budget ran out first;
5 refused to execute.
""",
)
@click.argument("task", required=False, type=click.Path(path_type=Path), metavar="[TASK.md | -]")
@click.option("--model", help="Who writes: http://HOST:PORT/v1,model=NAME, or the folder of a model that was taught to.")
@click.option("--predictor", default="tiny", show_default=True, help="The world model; none: nothing is predicted.")
@click.option("--entry", metavar="NAME", help="The function, where the task does not make it plain.")
@click.option("--select", type=click.Choice(_WAYS), default="verified", show_default=True, help="How one is chosen.")
@click.option(
    "--certainty", type=options.Finite(0.5, 1), default=0.95, show_default=True, help="From which on gated runs nothing."
)
@click.option("-n", "--candidates", type=click.IntRange(1, 1000), default=8, show_default=True, help="Programs of a turn.")
@click.option("--repairs", type=click.IntRange(0, 20), default=2, show_default=True, help="Further turns at most.")
@click.option("--inputs", type=click.IntRange(0, 100), default=6, show_default=True, help="Arguments that are made up.")
@click.option("--own-tests", type=click.IntRange(0, 100), default=0, show_default=True, help="Tests that the model writes.")
@click.option("--temperature", type=options.Finite(0, 10), default=0.8, show_default=True, help="Of all but the first.")
@click.option(
    "--max-tokens",
    default="2k",
    show_default=True,
    metavar="TOKENS",
    callback=lambda *a: options.parse_count(a[2]),
    help="Of an answer.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--wording", type=click.Choice(("statement", "examples")), help="What the model is shown.  [default: as it was taught]"
)
@click.option(
    "--tokens",
    default="128k",
    show_default=True,
    metavar="TOKENS",
    callback=lambda *a: options.parse_count(a[2]),
    help="Budget of what models write and predict.",
)
@click.option("--runs", type=click.IntRange(0), default=2000, show_default=True, help="Budget of checks that run.")
@click.option("--seconds", type=options.Finite(0.1, 86_400), default=600.0, show_default=True, help="Budget of time.")
@click.option(
    "--weak-isolation", is_flag=True, help="Let programs run without bubblewrap, behind weaker walls; the receipt says so."
)
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help=f"The receipt.  [default: {_DEFAULT}]",
)
@click.option("--write", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.py", help="Also write the program.")
@click.option(
    "--patches",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Choose among the patches of a file of predictions, instead.",
)
@click.option(
    "--tests",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Of --patches: generated tests.",
)
@click.option(
    "--data",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="Of --patches: tasks, images.",
)
@options.as_json
def command(
    task: Path | None,
    model: str | None,
    predictor: str,
    entry: str | None,
    select: str,
    certainty: float,
    candidates: int,
    repairs: int,
    inputs: int,
    own_tests: int,
    temperature: float,
    max_tokens: int,
    seed: int,
    wording: str | None,
    tokens: int,
    runs: int,
    seconds: float,
    weak_isolation: bool,
    out: Path | None,
    write: Path | None,
    patches: Path | None,
    tests: Path | None,
    data: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Write a program, predict what its tests would do, run them, repair, choose; and say on what that rests.

    TASK.md says what is wanted, best with examples: doctests, assertions, lines such as double(4) == 8, or blocks of Input
    and Output. What was verified by running and what was only predicted are told apart in everything that is said.
    """
    if patches is not None:
        from foretrace.cli.solve_patches import choose

        if task is not None:
            raise UsageError("a task is solved, or one of --patches is chosen: leave one out")
        choose(patches, tests, data, out or Path("chosen.jsonl"), as_json=as_json)
        return
    if task is None or model is None:
        raise UsageError("say what to solve and who writes: foretrace solve task.md --model http://HOST:PORT/v1,model=NAME")
    from foretrace.evals.types import Setting
    from foretrace.solve import Budget, Drawing, Gate, Plan, Select, Wording
    from foretrace.solve.verb import solve

    receipt = solve(
        sys.stdin.read() if str(task) == "-" else task,
        model=model,
        predictor=None if predictor == "none" else predictor,
        entry=entry,
        plan=Plan(
            select=Select(select),
            candidates=candidates,
            repairs=repairs,
            generated=inputs,
            own_tests=own_tests,
            gate=Gate(certainty=certainty),
            budget=Budget(tokens=tokens, runs=runs, seconds=seconds),
            seed=seed,
        ),
        drawing=Drawing(temperature=temperature, max_tokens=max_tokens, seed=seed),
        wording=Wording(wording) if wording else None,
        setting=Setting(isolation="process") if weak_isolation else None,
        told=lambda text: click.echo(text, err=True),
    )
    _finish(receipt, out or _DEFAULT, write, as_json)


def _finish(receipt: "Receipt", out: Path, write: Path | None, as_json: bool) -> None:
    from foretrace.solve.receipt import receipt_text

    receipt.save(out)
    if write is not None and receipt.source:
        write.write_text(receipt.source, encoding="utf-8")
    if as_json:
        options.write_json({name: value for name, value in receipt.to_json().items() if name != "traces"})
    else:
        click.echo(receipt_text(receipt), nl=False)
        click.echo(f"  receipt {out}   replay: foretrace web {out}")
        click.echo(f"\n{receipt.source}", nl=False)
    failed = _EXIT[receipt.verdict]
    sys.exit(4 if failed and receipt.spent["stopped"] else failed)
