"""`foretrace demo`."""

import sys

import click

from foretrace.cli import options


@click.command("demo", epilog="\b\nExample:\n  foretrace demo\n")
@options.model
@options.as_json
def command(model: str, as_json: bool) -> None:
    """Record, predict and compare a few small programs, none of them training data.

    The programs come with the package; they are really run, in a limited child process. No network, no GPU.
    """
    from foretrace.cli.render import make_console, print_diff
    from foretrace.engine import load, predict
    from foretrace.examples import EXAMPLES, example_file
    from foretrace.record import record_source
    from foretrace.trace import diff

    engine = load(model)
    console = make_console()
    differences = []
    for example in EXAMPLES:
        file = example_file(example)
        source = file.read_text(encoding="utf-8")
        predicted = predict(engine, source, example.entry, example.arguments, path=file.name)
        real = record_source(source, example.entry, example.arguments, path=file.name)
        difference = diff(predicted, real)
        differences.append(difference)
        if as_json:
            options.write_json({"example": file.name, **difference.to_dict()})
        else:
            print_diff(console, difference, predicted, real)
            console.print()
    if as_json:
        return
    right = sum(d.agrees for d in differences)
    lines = f"{sum(d.lines_right for d in differences)}/{sum(d.lines for d in differences)} lines"
    values = f"{sum(d.values_right for d in differences)}/{sum(d.values for d in differences)} values"
    console.print(f"{right} of {len(differences)} programs predicted right throughout · {lines} · {values}", style="bold")
    console.print("\nNow yours (nothing is executed by predict; diff really runs it):")
    console.print("  foretrace predict FILE.py::FUNCTION --args \"'abc', 3\"")
    console.print("  foretrace diff    FILE.py::FUNCTION --args \"'abc', 3\"")
    sys.exit(0)
