"""What an agent is told before its first action. The wording is ours; the form of the tools is that of CWM's release.

    system_prompt(Budgets(), preamble="You are a helpful AI assistant. You always …")   # a model's own first sentences
    task_prompt(task, environment.workdir)

CWM reasons well only after the sentences that its prompting guide gives: they are a preamble.
"""

from foretrace.forager.budgets import Budgets, bounded
from foretrace.forager.task import Task
from foretrace.forager.tools import TOOLS

PROBLEM_CHARACTERS = 32_768
"""Of an issue, as many are shown: 8,192 tokens or so, the limit of the release."""

_RULES = """\
You work on a repository in a Linux environment that is yours alone. You act through tools, and see what they answer.

- Call exactly one tool in every message, until a patch is submitted. What you say beside the call is for your own use.
- A command may take {seconds:g} seconds. There is no network.
- Long outputs are shown without their middle.
- You have {turns} turns, and {tokens} tokens for the whole conversation. After each call you are told what is left.
- Once a patch is submitted and you are sure of it, end with a message that calls no tool: a summary under the headings
  "## Cause", "## Change" and "## Check"."""

_TASK = """\
Resolve this issue in the repository at {root}:

<issue>
{problem}
</issue>
{hints}
Find the cause, change the code and not the tests, and run the tests that matter. Then write the change to a file with
`git diff`, and submit that file. The shell stands in {root}; what the code needs is installed."""


def system_prompt(budgets: Budgets, *, functions: bool = False, preamble: str = "") -> str:
    """The first message.

    Args:
        budgets: are told.
        functions: the tools are described as functions, elsewhere; else they are described here, as text.
        preamble: comes before everything else.

    """
    rules = _RULES.format(seconds=budgets.command_seconds, turns=budgets.turns, tokens=budgets.tokens)
    tools = "" if functions else "# Tools\n\n" + "\n\n".join(_described(name) for name in TOOLS)
    return "\n\n".join(filter(None, [preamble.strip(), "# Environment\n\n" + rules, tools]))


def _described(name: str) -> str:
    tool = TOOLS[name]
    return f"<tool: {name}>\n{tool.form}\n</tool>\n{tool.purpose}"


def task_prompt(task: Task, root: str) -> str:
    """The second message; `root` is the working folder, as commands see it."""
    hints = f"\n{task.hints.strip()}\n" if task.hints.strip() else ""
    problem = bounded(task.problem.strip(), PROBLEM_CHARACTERS)
    return _TASK.format(root=root, problem=problem, hints=hints)
