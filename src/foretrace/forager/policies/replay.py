"""Actions that were made before, once more: of a trajectory, or of a transcript of CWM's release.

    run_episode(task, Replay.of(trajectory.steps), folder)
    run_episode(task, Replay.of_transcript(text), folder)

What they come to is seen anew; whether it is the same is for `replaying` to say.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from foretrace.errors import UsageError
from foretrace.forager.format import parse_transcript
from foretrace.forager.policies.types import History, Policy
from foretrace.forager.trajectory import Action, Step, Usage


class Replay(Policy):
    """Makes given actions, in order."""

    name = "replay"

    def __init__(self, actions: Sequence[Action]) -> None:
        self.actions = tuple(actions)

    @classmethod
    def of(cls, steps: Iterable[Step]) -> "Replay":
        """The actions of a trajectory; what they cost was paid then."""
        return cls([replace(step.action, usage=Usage()) for step in steps])

    @classmethod
    def of_transcript(cls, text: str) -> "Replay":
        """The actions of a transcript.

        Raises:
            FormatError: it is none.

        """
        return cls([Action.read(message.content) for message in parse_transcript(text) if message.role == "assistant"])

    def act(self, history: History) -> Action:
        """The action that comes next.

        Raises:
            UsageError: there is none left; none is made up.

        """
        if len(history.steps) >= len(self.actions):
            raise UsageError(f"all {len(self.actions)} recorded actions are made, and the episode is not over")
        return self.actions[len(history.steps)]
