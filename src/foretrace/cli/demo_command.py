"""`foretrace demo`."""

import click

from foretrace.cli import options

BUDGET = 2048
"""Tokens for each program; the longest real trace here needs about half."""


@click.command(
    "demo",
    epilog="\b\nExamples:\n  foretrace demo\n  foretrace demo --web\n  foretrace demo --check\n  foretrace demo --json\n",
)
@options.model
@click.option("--web", is_flag=True, help="Open one of them in the browser, at the step where the prediction goes wrong.")
@click.option("--check", is_flag=True, help="Serve that page once, look at it, and stop.")
@options.as_json
def command(model: str, web: bool, check: bool, as_json: bool) -> None:
    """Record, predict and compare a few small programs, none of them training data.

    The programs come with the package; they are really run, in a limited child process. No network, no GPU. The page shows
    one that was recorded before.
    """
    if web or check:
        from foretrace.cli.web_serving import Serving
        from foretrace.cli.web_site import Asked, serve_site
        from foretrace.web.running import Running

        serve_site(Asked(model=model), Running(), Serving(check=check))
        return
    from foretrace.cli.render import make_console, print_diff
    from foretrace.engine import load, predict_many
    from foretrace.examples import EXAMPLES, example_file
    from foretrace.record import record_source
    from foretrace.trace import diff

    engine = load(model)
    click.echo(f"{len(EXAMPLES)} programs: recording what they do, then predicting it with {engine.name} …", err=True)
    files = [example_file(example) for example in EXAMPLES]
    calls = [(f.read_text(encoding="utf-8"), e.entry, e.arguments) for f, e in zip(files, EXAMPLES, strict=True)]
    reals = [record_source(*call, path=file.name) for call, file in zip(calls, files, strict=True)]
    predictions = predict_many(engine, calls, max_tokens=BUDGET)
    differences = [diff(predicted, real) for predicted, real in zip(predictions, reals, strict=True)]
    if as_json:
        for file, difference in zip(files, differences, strict=True):
            options.write_json({"example": file.name, **difference.to_dict()})
        return
    console = make_console()
    for difference, predicted, real in zip(differences, predictions, reals, strict=True):
        print_diff(console, difference, predicted, real)
        console.print()
    right = sum(d.agrees for d in differences)
    lines = f"{sum(d.lines_right for d in differences)}/{sum(d.lines for d in differences)} lines"
    values = f"{sum(d.values_right for d in differences)}/{sum(d.values for d in differences)} values"
    console.print(f"{right} of {len(differences)} programs predicted wholly right · {lines} · {values}", style="bold")
    console.print("\nNow yours; predict executes nothing, diff also runs the call in a limited child process:")
    console.print("  foretrace predict FILE.py::FUNCTION --args \"'abc', 3\"")
    console.print("  foretrace diff FILE.py::FUNCTION --args \"'abc', 3\"")
    console.print("  foretrace web FILE.py::FUNCTION --args \"'abc', 3\"")
    console.print("  foretrace --help")
