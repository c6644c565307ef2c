"""`foretrace eval export`."""

from pathlib import Path

import click

from foretrace.cli import eval_options

_RUN_FORMS = ("cruxeval", "evalplus", "livecodebench", "swebench")
_TASK_FORMS = ("lm-eval", "inspect")
_EXAMPLES = """\b
Examples:
  foretrace eval export runs/qwen3 humaneval-plus --form evalplus -o samples.jsonl
  foretrace eval export runs/agent --form swebench -o predictions.jsonl
  foretrace eval export fresh:direct probes:cot --form lm-eval -o tasks/
  foretrace eval export cruxeval-o:cot --data cruxeval.jsonl --form inspect -o tasks/
"""


@click.command("export", epilog=_EXAMPLES)
@click.argument("names", nargs=-1, required=True, metavar="RUN [PART] | BENCH[:STYLE]…")
@click.option("--form", required=True, type=click.Choice([*_RUN_FORMS, *_TASK_FORMS]), help="Whose files these are.")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="A file; for tasks a folder, made if need be."
)
@eval_options.data
def command(
    names: tuple[str, ...],
    form: str,
    output: Path,
    paths: tuple[Path, ...],
    window: tuple[str, str] | None,
    count: int | None,
    items_seed: int | None,
) -> None:
    """Write a RUN's answers as the official tools read them, or benchmarks as tasks of other harnesses.

    cruxeval, evalplus, livecodebench and swebench take a part of a run; lm-eval and inspect take benchmarks, and score as a
    run here does.
    """
    if form in _TASK_FORMS:
        from foretrace.evals.exports import export_tasks

        options = eval_options.make_options(paths, window, count, items_seed)
        for name in names:
            for file in export_tasks(name, form, output, options):
                click.echo(f"wrote {file}", err=True)
        return
    if len(names) > 2:
        raise click.UsageError(f"one part of a run is exported at a time, not {len(names) - 1}")
    _export_run(names[0], names[1:], form, output)


def _export_run(run: str, parts: tuple[str, ...], form: str, output: Path) -> None:
    from foretrace.errors import UsageError
    from foretrace.evals.exports import FORMS, export
    from foretrace.evals.folder import Run

    opened = Run.open(Path(run))
    found = eval_options.parts_of(opened, parts)
    fitting = [part for part in found if part.manifest["benchmark"] in FORMS[form].BENCHMARKS] if not parts else found
    if len(fitting) != 1:
        there = ", ".join(part.name for part in found) or "nothing"
        raise UsageError(f"{run} has {len(fitting)} parts for {form}; name one of: {there}")
    answers = export(fitting[0], form, output, model=str(opened.model["name"]))
    click.echo(f"wrote {output}: {answers} answers of {fitting[0].name}", err=True)
