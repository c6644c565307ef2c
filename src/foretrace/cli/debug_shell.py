"""The terminal debugger: reads a command, does it, shows where that led. In the manner of pdb, and backwards too.

    shell = Shell(desk)
    shell.loop()                    # until `q` or the end of the input

Commands are in tables (`debug_moves.py`, `debug_looks.py`, `debug_changes.py`). An empty line repeats the last one. Errors
of the user are told, and the session goes on.
"""

import difflib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from foretrace.cli import options
from foretrace.cli.debug_changes import CHANGES
from foretrace.cli.debug_desk import Desk, Verb
from foretrace.cli.debug_looks import LOOKS
from foretrace.cli.debug_moves import MOVES
from foretrace.cli.debug_show import show_step
from foretrace.debug.view import program, state, summary
from foretrace.errors import ForetraceError, UsageError

PROMPT = "(foretrace) "
_HISTORY = 1_000


def _help(desk: Desk, text: str) -> None:
    """All commands, or one."""
    if text:
        verb = find_verb(text.split()[0])
        desk.say(f"  {', '.join(verb.names)}  {verb.usage}\n    {verb.help}")
        return
    for section, verbs in SECTIONS.items():
        desk.say(section, style="bold")
        for verb in verbs:
            desk.say(f"  {', '.join(verb.names) + '  ' + verb.usage:<44}  {verb.help}".rstrip())
    desk.say("An empty line repeats the last command; so many letters as tell it from the others are enough.")


def _quit(desk: Desk, text: str) -> None:
    desk.is_done = True


OTHERS = (
    Verb(("h", "help"), "[COMMAND]", "this list, or one command", _help, lambda desk: sorted(VERBS)),
    Verb(("q", "quit"), "", "leave", _quit),
)
SECTIONS = {"Moving and stopping": MOVES, "Looking": LOOKS, "Changing": CHANGES, "Also": OTHERS}
VERBS: dict[str, Verb] = {name: verb for verbs in SECTIONS.values() for verb in verbs for name in verb.names}


def find_verb(name: str) -> Verb:
    """The command of that name, or of which it is the only beginning.

    Raises:
        UsageError: there is none.

    """
    if name in VERBS:
        return VERBS[name]
    begun = {id(verb): verb for word, verb in VERBS.items() if word.startswith(name)}
    if len(begun) == 1:
        return next(iter(begun.values()))
    close = difflib.get_close_matches(name, VERBS, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise UsageError(f"no command {name!r}.{hint} help lists them; p {name} prints a value")


class Shell:
    """Reads commands from standard input."""

    def __init__(self, desk: Desk, *, as_json: bool = False) -> None:
        """With `as_json` each command is answered by one object on one line, for programs."""
        self.desk, self._as_json, self._last = desk, as_json, ""

    def loop(self) -> None:
        """Goes on until `q` or the end of the input."""
        if self._as_json:
            options.write_json({"v": 1, "program": program(self.desk.session), "summary": summary(self.desk.session)})
        else:
            show_step(self.desk)
        with _editing(self) if sys.stdin.isatty() else nullcontext():
            while not self.desk.is_done:
                try:
                    line = self._read()
                except EOFError:
                    break
                except KeyboardInterrupt:
                    self.desk.say("")  # as a shell does: the line is gone, the session stays
                    continue
                self.answer(line)

    def _read(self) -> str:
        if self._as_json:
            return _next_line()
        if sys.stdin.isatty():
            return input(PROMPT)
        line = _next_line()
        self.desk.say(f"{PROMPT}{line}")
        return line

    def answer(self, line: str) -> None:
        """Does what one line says, and tells how that went."""
        line = line.strip()
        if line.startswith("#"):
            return
        line = self._last = line or self._last
        if self._as_json:
            self._answer_json(line)
            return
        try:
            self._act(line)
        except (ForetraceError, OSError) as error:
            self.desk.say(f"*** {error}")

    def _act(self, line: str) -> None:
        if not line:
            return
        name, _, rest = line.partition(" ")
        with self.desk.predicting():
            find_verb(name).act(self.desk, rest.strip())

    def _answer_json(self, line: str) -> None:
        desk, text = self.desk, io.StringIO()
        desk.console.file = text
        answer: dict[str, object] = {"v": 1, "command": line}
        try:
            self._act(line)
        except (ForetraceError, OSError) as error:
            answer |= {"error": type(error).__name__, "message": str(error)}
        answer |= {"output": text.getvalue().splitlines(), "state": state(desk.session), "summary": summary(desk.session)}
        options.write_json(answer)

    def completions(self, line: str, start: int) -> list[str]:
        """What can stand at `start` of a line: a command, or what it takes."""
        before = line[:start].split()
        if not before:
            return sorted(VERBS)
        try:
            return find_verb(before[0]).completes(self.desk)
        except ForetraceError:
            return []


def _next_line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")


@contextmanager
def _editing(shell: Shell) -> Iterator[None]:
    """Line editing, completion with Tab, and a history that is kept; without them where Python has no readline."""
    try:
        import readline
    except ImportError:
        yield
        return

    def complete(text: str, number: int) -> str | None:
        found = [
            word for word in shell.completions(readline.get_line_buffer(), readline.get_begidx()) if word.startswith(text)
        ]
        return found[number] if number < len(found) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" \t\n")
    libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
    file = history_file()
    with suppress(OSError):
        readline.read_history_file(file)
    try:
        yield
    finally:
        readline.set_history_length(_HISTORY)
        with suppress(OSError):  # a home that cannot be written to is no reason to fail
            file.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(file)


def history_file() -> Path:
    """Where commands are kept: in the place for such files by the XDG base directory specification."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "foretrace" / "debug_history"
