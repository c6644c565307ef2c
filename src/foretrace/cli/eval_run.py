"""`foretrace eval run`."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foretrace.cli import eval_options, options

if TYPE_CHECKING:
    from foretrace.cli.progress import Bar
    from foretrace.evals.folder import Run
    from foretrace.evals.run import Progress

_STOPPED = 130
_EXAMPLES = """\b
Examples:
  foretrace eval run fidelity halting:trace
  foretrace eval run cruxeval-o:trace cruxeval-o:jump --data cruxeval.jsonl --model runs/small/checkpoint
  foretrace eval run cruxeval-o:cot --model http://localhost:8000/v1,model=qwen3 --samples 10 --temperature 0.2
  foretrace eval run humaneval-plus --model completions:samples.jsonl
  foretrace eval run cruxeval-o --model control:copy

\b
MODEL is an engine of ours (a packaged model, a folder, torch:FOLDER, org/name); a server, with options:
URL,model=NAME and maybe ,api=completions ,system=FILE ,thinking=yes ,concurrency=32 ,prices=IN+OUT ,cost=MOST;
completions:FILE, texts from elsewhere or of a run; or control:gold, wrong, copy or constant.

\b
Stopped and started again, it goes on where it was: what a model said is kept before it is judged.
Controls run first; where they are judged wrongly, nothing is asked of the model.

Exit codes: 0 done, 1 some answers could not be had or judged (start again), 2 usage, 3 server or sandbox failed or
controls were judged wrongly, 5 no isolation to run code in.
"""


@click.command("run", epilog=_EXAMPLES)
@click.argument("benchmarks", nargs=-1, required=True, metavar="BENCHMARK[:STYLE]…")
@click.option("--model", default="tiny", show_default=True, help="Who answers; see below.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="RUN", help="The folder of the run.  [default: runs/evals/MODEL]"
)
@click.option(
    "--samples", type=click.IntRange(1, 10_000), help="Answers an item.  [default: the style's, as for all of these]"
)
@click.option("--temperature", type=options.Finite(0, 10), help="At which they are drawn.")
@click.option("--top-p", type=options.Finite(0, 1, min_open=True), help="Of the probability that they are drawn from.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Of an answer.")
@click.option("--seed", type=int, help="Of what is drawn.")
@click.option(
    "--rule", type=click.Choice(["strict", "official"]), default="strict", show_default=True, help="Of the running score."
)
@eval_options.judging
@eval_options.data
@options.as_json
def command(
    benchmarks: tuple[str, ...],
    model: str,
    out: Path | None,
    samples: int | None,
    temperature: float | None,
    top_p: float | None,
    max_tokens: int | None,
    seed: int | None,
    rule: str,
    limit: int | None,
    workers: int,
    repeats: int,
    seconds: float | None,
    weak_isolation: bool,
    paths: tuple[Path, ...],
    window: tuple[str, str] | None,
    count: int | None,
    items_seed: int | None,
    as_json: bool,
) -> None:
    """Measure a model on benchmarks, each in a style of asking; the first one of each, if none is named."""
    from foretrace.cli.progress import Bar
    from foretrace.evals.plan import Plan
    from foretrace.evals.run import carry_out
    from foretrace.evals.subjects import find_subject

    subject = find_subject(model)
    plans = [
        Plan.of(
            name,
            options=eval_options.make_options(paths, window, count, items_seed),
            setting=eval_options.make_setting(weak_isolation, seconds, repeats),
            limit=limit,
            samples=samples or subject.samples,
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens,
            seed=seed,
        )
        for name in dict.fromkeys(benchmarks)
    ]
    folder = out or Path("runs/evals") / _slug(model)
    try:
        with Bar(plans[0].name) as bar:
            run = carry_out(plans, subject, folder, workers=workers, watch=_watch(bar, rule))
    except KeyboardInterrupt:
        click.echo(f"stopped; what came until then is in {folder}, and the same command goes on there", err=True)
        sys.stdout.flush()
        os._exit(_STOPPED)  # threads that wait for a server cannot be stopped, and need not be
    _tell(run, [plan.folder for plan in plans], as_json)


def _watch(bar: "Bar", rule: str) -> "Callable[[Progress], None]":
    """Shows how far it is and, with its interval, the score so far."""

    def watch(progress: "Progress") -> None:
        share = progress.strict if rule == "strict" else progress.official
        bar.describe(f"{progress.name}  {share.text()}")
        bar(share.total, progress.wanted)

    return watch


def _tell(run: "Run", names: list[str], as_json: bool) -> None:
    """What came of it; ends the process if that is not all."""
    from foretrace.evals.summary import summarise

    summaries = [summarise(run.parts[name], model=str(run.model["name"])) for name in names]
    for summary in summaries:
        if as_json:
            options.write_json(summary.to_dict())
        else:
            click.echo(summary.text() + "\n")
    if not as_json:
        click.echo(f"in {run.folder}; a page with plots: foretrace eval report {run.folder} -o report.html")
    sys.exit(1 if any(summary.broken.hits for summary in summaries) else 0)


def _slug(model: str) -> str:
    """A model's name as that of a folder."""
    return re.sub(r"[^\w.-]+", "-", model, flags=re.ASCII).strip("-.")[-80:] or "model"
