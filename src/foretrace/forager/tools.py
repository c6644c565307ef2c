r"""The tools of an agent: bash, view, create, edit, submit.

    desk = Desk(environment)                                # one shell, for the whole episode
    desk.call("bash", "cd src && ls").output
    desk.call("edit", "a.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE")

Form and meaning are those of CWM's release (`cwm/rl/swerl/plugins`), and `view` is the paper's (section 2.3). What a tool
cannot do, it says: nothing that an agent asks for ends an episode. Files are read and written from outside, so that no
program in the environment stands between an agent and a file.
"""

import posixpath
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from foretrace.errors import FormatError, SandboxError
from foretrace.forager.budgets import bounded
from foretrace.forager.edits import apply_edit, numbered, read_edit, surroundings, write_edit
from foretrace.sandbox.environment import Environment, Status

VIEWED = 200
"""Lines of a file that are shown if nothing else is asked for."""
MOST_SUBMITTED = 4 * 1024 * 1024
"""Bytes of a patch."""
_KINDS = 'for path; do if [ -d "$path" ]; then echo folder; elif [ -e "$path" ]; then echo other; else echo; fi; done'


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool answers."""

    output: str
    ok: bool = True
    code: int | None = None
    """Exit code of a command."""
    status: str = ""
    """How a command ended."""
    dropped: int = 0
    """Bytes of its output that were never kept."""
    submission: str | None = None
    """The patch that is submitted; bytes that are no UTF-8 as `surrogateescape` has them."""
    seconds: float = 0.0


class Desk:
    """An environment with its shell, as an agent works at it."""

    def __init__(self, environment: Environment, *, command_seconds: float = 120.0, characters: int = 16_384) -> None:
        self.environment = environment
        self.shell = environment.shell()
        self.command_seconds = command_seconds
        self._characters = characters

    def call(self, tool: str, argument: str) -> ToolResult:
        """What a tool answers; its output is no longer than the characters that are allowed.

        Raises:
            SandboxError: the environment is broken, through no fault of the agent's.

        """
        start = time.monotonic()
        try:
            result = TOOLS[tool].run(self, argument)
        except FormatError as error:
            result = ToolResult(output=str(error), ok=False)
        except SandboxError as error:  # mostly what was asked for cannot be: no such file, not permitted, no space
            if isinstance(error, BrokenError) or self.environment.exec(["true"]).status is Status.BROKEN:
                raise
            result = ToolResult(output=str(error), ok=False)
        seconds = round(time.monotonic() - start, 6)
        return replace(result, output=bounded(result.output, self._characters), seconds=seconds)

    def path(self, text: str) -> str:
        """A path as the shell would take it, from where the shell stands."""
        if not text.strip() or "\0" in text:
            raise FormatError("the path is empty: it stands on the first line of the call")
        return posixpath.normpath(posixpath.join(self.shell.cwd, text.strip()))

    def kinds(self, *paths: str) -> list[str]:
        """Of each path `folder` or `other`; empty if nothing is there. Links are followed, inside the environment."""
        found = self.environment.exec(["sh", "-c", _KINDS, "sh", *paths], seconds=10)
        _check(found.status)
        kinds = found.output.decode("utf-8", "replace").split("\n")
        if found.code or len(kinds) != len(paths) + 1:
            raise SandboxError(f"cannot look at {' and '.join(paths)}: {found.status}, {found.output[:200]!r}")
        return kinds[:-1]


class BrokenError(SandboxError):
    """The environment broke, through no fault of the agent's."""


def _check(status: Status) -> None:
    """Makes sure that a command was run."""
    if status is Status.BROKEN:
        raise BrokenError("the environment broke, through no fault of the agent's: the episode can be taken up again")


def _bash(desk: Desk, command: str) -> ToolResult:
    result = desk.shell.run(command, seconds=desk.command_seconds)
    _check(result.status)
    text = result.output.removesuffix("\n")
    notes = {
        Status.TIMEOUT: f"[stopped after {desk.command_seconds:g} s]",
        Status.MEMORY: "[stopped: out of memory]",
        Status.KILLED: "[stopped: killed]",
    }
    note = notes.get(result.status, f"[exit code {result.code}]" if result.code else "")
    if result.truncated:
        note = f"[{result.truncated:,} bytes of the output were dropped]\n{note}".strip()
    ok = result.status is Status.OK and result.code == 0
    return ToolResult(
        output="\n".join(filter(None, [text, note])),
        ok=ok,
        code=result.code,
        status=result.status.value,
        dropped=result.truncated,
    )


def _view(desk: Desk, argument: str) -> ToolResult:
    name, _, rest = argument.strip().partition("\n")
    path = desk.path(name)
    try:
        content = desk.environment.read(path)
    except SandboxError:
        if desk.kinds(path) != ["folder"]:
            raise
        listed = desk.environment.exec(["ls", "-1Ap", "--", path], seconds=10)
        _check(listed.status)
        return ToolResult(output=listed.output.decode("utf-8", "replace").rstrip("\n") or f"{path} is empty")
    if b"\0" in content[:8192]:
        return ToolResult(output=f"{path} is no text: {len(content):,} bytes", ok=False)
    lines = [line.removesuffix("\r") for line in content.decode("utf-8", "replace").removesuffix("\n").split("\n")]
    first, last = _span(rest, len(lines))
    note = "" if (first, last) == (1, len(lines)) else f"\n[lines {first} to {last} of {len(lines)}]"
    return ToolResult(output=numbered(lines[first - 1 : last], first) + note)


def _span(text: str, length: int) -> tuple[int, int]:
    """The first and the last line that are asked for."""
    numbers = text.replace("-", " ").replace(",", " ").split()
    if not numbers:
        return 1, min(VIEWED, length)
    if len(numbers) > 2 or not all(number.isascii() and number.isdigit() and len(number) < 10 for number in numbers):
        raise FormatError(f"after the path come the first and the last line to be shown, such as 40 80; not {text[:40]!r}")
    first = max(1, int(numbers[0]))
    last = int(numbers[1]) if len(numbers) == 2 else first + VIEWED - 1
    if first > length or last < first:
        raise FormatError(f"there are no lines {first} to {last}: the file has {length}")
    return first, min(last, length)


def _create(desk: Desk, argument: str) -> ToolResult:
    name, _, content = argument.partition("\n")
    path = desk.path(name)
    there, folder = desk.kinds(path, posixpath.dirname(path))
    if there:
        raise FormatError(f"{path} is there already: create makes new files, edit changes them")
    if folder != "folder":
        raise FormatError(f"there is no folder {posixpath.dirname(path)}: make it first")
    text = content + "\n" if content and not content.endswith("\n") else content
    desk.environment.write(path, text.encode())
    return ToolResult(output=f"{path} is created, with {text.count(chr(10))} lines")


def _edit(desk: Desk, argument: str) -> ToolResult:
    name, choices = read_edit(argument)
    path = desk.path(name)
    content = desk.environment.read(path)
    new, lines = apply_edit(content, choices)
    desk.environment.write(path, new)
    return ToolResult(output=f"{path} is changed from line {lines.start} on. It now reads:\n{surroundings(new, lines)}")


def _submit(desk: Desk, argument: str) -> ToolResult:
    path = desk.path(argument)
    content = desk.environment.read(path)
    if len(content) > MOST_SUBMITTED:
        raise FormatError(f"{path} has {len(content):,} bytes; a submission has {MOST_SUBMITTED:,} at most")
    if not content.strip():
        raise FormatError(f"{path} is empty: a submission is a patch, as git diff prints it")
    if not content.startswith(b"diff"):
        raise FormatError(f"{path} is no patch: it does not begin with diff, as what git diff prints does")
    shown = content.decode("utf-8", "replace").rstrip("\n")
    return ToolResult(
        output=f"This patch is now your submission:\n\n<submission>\n{shown}\n</submission>\n\n"
        "Look it over. Submit again if it is not right; if it is, say what you did, without calling a tool.",
        submission=content.decode("utf-8", "surrogateescape"),
    )


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool, and how it is told to an agent: as text, or as a function with parameters."""

    run: Callable[[Desk, str], ToolResult]
    form: str
    """Of its argument in text."""
    purpose: str
    parameters: Mapping[str, str]
    """Of the function, each with its meaning."""
    compose: Callable[..., str]
    """The argument in text, from those of the function."""
    optional: frozenset[str] = frozenset()


def _compose_view(path: str, first: str = "", last: str = "") -> str:
    return f"{path}\n{first} {last}".strip()


TOOLS: Mapping[str, Tool] = {
    "bash": Tool(
        _bash,
        "[commands]",
        "Runs the commands in a shell that keeps its folder and its variables from call to call. They cannot ask for input.",
        {"command": "what bash is to run, one line or many"},
        lambda command: command,
    ),
    "view": Tool(
        _view,
        "[path]\n[first line] [last line]",
        f"Shows a file with line numbers, or the names in a folder. Without a second line, {VIEWED} lines are shown.",
        {"path": "of a file or a folder", "first": "number of the first line", "last": "number of the last line"},
        _compose_view,
        frozenset({"first", "last"}),
    ),
    "create": Tool(
        _create,
        "[path]\n[content]",
        "Makes a new file. Nothing may be at the path yet, and its folder must be there.",
        {"path": "of the new file", "content": "all of it"},
        lambda path, content: f"{path}\n{content}",
    ),
    "edit": Tool(
        _edit,
        "[path]\n<<<<<<< SEARCH\n[lines]\n=======\n[new lines]\n>>>>>>> REPLACE",
        "Puts new lines in the place of lines that stand exactly so, with all their spaces, at one place in the file.",
        {
            "path": "of the file",
            "search": "whole lines, exactly as they are in the file",
            "replacement": "the lines instead; none removes them",
        },
        write_edit,
    ),
    "submit": Tool(
        _submit,
        "[path]",
        "Hands in the patch in a file, in the form that git diff prints. It may be done again; the last one counts.",
        {"path": "of the file with the patch"},
        lambda path: path,
    ),
}


def functions() -> list[dict[str, Any]]:
    """The tools as an OpenAI-compatible server wants them."""
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": tool.purpose,
                "parameters": {
                    "type": "object",
                    "properties": {
                        parameter: {"type": "string", "description": meaning}
                        for parameter, meaning in tool.parameters.items()
                    },
                    "required": [parameter for parameter in tool.parameters if parameter not in tool.optional],
                },
            },
        }
        for name, tool in TOOLS.items()
    ]
