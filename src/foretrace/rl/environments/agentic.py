"""Agentic coding: a contest problem, and a box with tools in which to try things out; the last message holds the program.

As CWM's (report, section 5.3): the tools of software engineering but for `submit`.
"""

import tempfile
from pathlib import Path
from typing import Any

from foretrace.data.chat import Message
from foretrace.data.tokenizer import Tokenizer
from foretrace.evals.types import Setting
from foretrace.forager.budgets import Budgets
from foretrace.forager.tools import TOOLS
from foretrace.rl.environments.contest import judge_program
from foretrace.rl.environments.dialogue import code_in
from foretrace.rl.environments.judges import Judges
from foretrace.rl.environments.workshop import Bench, Workshop
from foretrace.rl.types import Task
from foretrace.sandbox.environment import Environment, EnvironmentLimits, Image
from foretrace.sandbox.environments import host, open_environment

NAME = "agentic"
_RULES = """You solve a programming problem. You have a Linux box of your own, with Python and these tools:

{tools}

There is no network. Call one tool in a message, and see what it answers. Once you are sure, end with a message that calls no
tool and has exactly one block of code between ```python and ```: the program, which reads standard input and writes
standard output."""
_LIMITS = EnvironmentLimits(seconds=7200.0)


class AgenticCoding(Workshop):
    """Tasks are those of `contest.contest_task`, with this environment's name."""

    name = NAME
    tools = frozenset(TOOLS) - {"submit"}

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        think: bool = False,
        budgets: Budgets | None = None,
        setting: Setting | None = None,
    ) -> None:
        """`setting`: of the sandbox in which answers are judged, and of the box."""
        super().__init__(tokenizer, think=think, budgets=budgets)
        self._setting = setting or Setting(repeats=0)
        self._judges = Judges(self._setting)
        self._empty = tempfile.TemporaryDirectory(prefix="foretrace-")
        (Path(self._empty.name) / "problem").mkdir()
        self._image = Image(root=(Path(self._empty.name),), workdir="/problem", host=tuple(host.paths()))

    def begin(self, task: Task, seed: int) -> tuple[Environment, dict[str, Any], list[Message]]:
        """An empty folder."""
        described = "\n\n".join(
            f"<tool: {name}>\n{TOOLS[name].form}\n</tool>\n{TOOLS[name].purpose}" for name in sorted(self.tools)
        )
        told = [Message("system", _RULES.format(tools=described)), Message("user", task.data["statement"])]
        return open_environment(self._image, _LIMITS, backend=self._setting.isolation), {}, told

    def judge(self, state: Bench, text: str) -> dict[str, Any]:
        """Runs the program of the last message."""
        return judge_program(self._judges, state.task, code_in(text)) if text else {}
