"""`foretrace debug` driven by a script on standard input."""

from click.testing import CliRunner, Result

from foretrace.cli.main import cli

LETTERS = """def count_letters(s, letter):
    n = 0
    for c in s:
        n += int(c == letter)
    return n


def f(c):
    word = "berry"
    num = count_letters(word, c)
    return f"Found {num:04d}"
"""
VALUES = "oracle:err=0.1,seed=7,kinds=value"
RIGHT = "oracle:err=0"


def run(script: str, *options: str, model: str = RIGHT, target: tuple[str, ...] = ("letters.py::f",)) -> Result:
    command = ["debug", *target, "--model", model, *options]
    if target and "--args" not in options and "--invent" not in options:
        command += ["--args", "c='r'"]
    return CliRunner().invoke(cli, command, input=script, env={"COLUMNS": "100", "NO_COLOR": "1"})


def said(script: str, *options: str, model: str = RIGHT) -> list[str]:
    """What the last command of a script answers."""
    result = run(script, *options, model=model)
    assert result.exit_code == 0, result.output
    *_, last = result.stdout.split("(foretrace) ")
    return [line.rstrip() for line in last.splitlines()[1:]]


def places(script: str, *options: str, model: str = RIGHT) -> list[int]:
    """The steps that a script goes through."""
    lines = run(script, *options, model=model).stdout.splitlines()
    return [int(line.split("step ")[1].split()[0]) for line in lines if line.startswith("> ") and "step " in line]
