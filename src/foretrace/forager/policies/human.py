"""A person at a terminal.

    run_episode(task, Human(), folder)

A line is a command for the shell. A line that begins with a colon calls another tool, `:view src/a.py 1 40`, `:submit
/tmp/fix.patch`; `:create` and `:edit` take more lines, up to one that is a single dot. `:done`, with a summary after
it, ends the episode, and `:help` says all this.
"""

from collections.abc import Callable

from foretrace.forager.policies.types import History, Policy
from foretrace.forager.tools import TOOLS
from foretrace.forager.trajectory import Action

_HELP = """\
  COMMAND                     run in the shell
  :view PATH [FIRST LAST]     show a file or a folder
  :create PATH                make a file of the lines that follow, up to a line with a single dot
  :edit PATH                  the same, with <<<<<<< SEARCH, =======, >>>>>>> REPLACE
  :bash                       the same, for a command of many lines
  :submit PATH                hand in a patch
  :done SUMMARY               end"""
_END_OF_LINES = "."
_WITH_LINES = ("create", "edit", "bash")


class Human(Policy):
    """Asks whoever sits there."""

    name = "human"

    def __init__(self, read: Callable[[str], str] = input, write: Callable[[str], None] = print) -> None:
        """Takes a way to ask for a line, which is given a prompt, and a way to show a text."""
        self._read, self._write = read, write

    def act(self, history: History) -> Action:
        """What the person wants. The end of the input ends the episode."""
        if history.steps:
            self._write(history.steps[-1].observation)
        else:
            self._write(f"{history.prompt}\n\n{_HELP}")
        while True:
            try:
                line = self._read(f"{history.turns_left} turns> ")
            except EOFError:
                return Action(content="The input is at its end.", ends=True)
            action = self._action(line)
            if action is not None:
                return action

    def _action(self, line: str) -> Action | None:
        """None: there is nothing to do yet."""
        if not line.strip():
            return None
        if not line.startswith(":"):
            return Action.call("bash", line)
        name, _, rest = line[1:].partition(" ")
        if name == "done":
            return Action(content=rest.strip() or "Done.", ends=True)
        if name not in TOOLS:
            self._write(_HELP)
            return None
        if name == "view":
            path, _, span = rest.strip().partition(" ")
            return Action.call("view", f"{path}\n{span}".strip())
        return Action.call(name, "\n".join([*([rest.strip()] if rest.strip() else []), *self._lines(name)]))

    def _lines(self, name: str) -> list[str]:
        lines: list[str] = []
        while name in _WITH_LINES:
            try:
                line = self._read("| ")
            except EOFError:
                break
            if line == _END_OF_LINES:
                break
            lines.append(line)
        return lines
