"""`foretrace rl`. Its commands are imported when they are used."""

import click

from foretrace.cli.subcommands import TableGroup

SUBCOMMANDS = {
    "run": ("foretrace.cli.rl_run", "train a policy from a preset, in this process or on Ray"),
    "show": ("foretrace.cli.rl_show", "what a run did, by environment and by task"),
    "replay": ("foretrace.cli.rl_replay", "a rollout as text, done once more in its environment"),
    "plot": ("foretrace.cli.train_plot", "draw the curves of one run or several"),
    "export": ("foretrace.cli.rl_export", "solved rollouts as chats and traces to fine-tune on"),
}
"""Name: the module that has it as `command`, and what it does."""

EXAMPLES = """\b
Examples:
  foretrace train examples --work runs/examples
  foretrace rl run examples --work runs/rl
  foretrace rl plot runs/rl -o curves.html
  foretrace rl replay runs/rl --rollout 17
  foretrace rl export runs/rl -o solved && foretrace data pack solved -o shards --tokenizer runs/rl/checkpoint
"""


@click.group("rl", cls=TableGroup, table=SUBCOMMANDS, epilog=EXAMPLES)
def command() -> None:
    """Reinforcement learning as in CWM: a policy, environments that say what was right, rollouts, updates.

    Needs: pip install "foretrace[train]"; on a cluster also "foretrace[ray]".
    """
