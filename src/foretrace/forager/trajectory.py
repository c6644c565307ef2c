"""What happened in an episode: every action as it was made, every observation as it was seen, nothing invented.

    trajectory = read_trajectory("run/jsonpointer-7.jsonl")            # see journal.py
    trajectory.steps[0].action.tool, trajectory.steps[0].code          # "bash", 0
    trajectory.messages()                                              # as a chat, in the usual form

A trajectory is a header (what was asked of whom, where, under which limits), steps, and a result. A step is one action of
the policy and what came of it: what the policy saw, the exit code, the files that changed and how, and a hash of the state
of all files, by which a replay is checked.

What is learnt of a step stands beside it (CWM report, section 2.3: all actions, and half of the observations at random).
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from foretrace.errors import FormatError
from foretrace.forager.format import Call, read_call, split_thought, without_call, write_call

SCHEMA = "foretrace-trajectory-1"
OBSERVATIONS_LEARNT = 0.5
"""The share of observations that a model is taught to predict (CWM report, section 2.3)."""
USER = "user"
"""Who answers an action that called no tool."""
JsonObject = Mapping[str, Any]


def whole_characters(text: str) -> str:
    """A text without halves of pairs, as cut JSON may hold: they are no characters, and no file and no server takes them."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Ending(StrEnum):
    """Why an episode is over. Infrastructure that fails ends none: it is taken up again later."""

    SUBMITTED = "submitted"
    """The agent said that it is done, after a submission."""
    GAVE_UP = "gave_up"
    """The agent said that it will submit nothing."""
    TURNS = "turns"
    TOKENS = "tokens"
    SECONDS = "seconds"
    COST = "cost"
    FORMAT = "format"
    """Too many messages in a row held no call that could be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an action cost."""

    prompt_tokens: int = 0
    """Of the whole conversation before it, as the server counts; 0 where nobody does."""
    completion_tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    """Wall clock, the waits for a busy server among it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a policy does in a turn: it calls a tool, or says that it is done."""

    content: str
    """Its whole message, its call as text among it (unless text cannot spell it, see `write_call`)."""
    tool: str = ""
    """Empty: no call."""
    argument: str = ""
    thought: str = ""
    problem: str = ""
    """Why its message has no call that can be run, if it tried to make one. It is told, and may try again."""
    ends: bool = False
    """Without a call: it wants to end even though nothing is submitted."""
    usage: Usage = Usage()
    info: JsonObject = field(default_factory=dict)
    """What else is known of it, in JSON: the server's message, tries in other worlds, …"""

    def __post_init__(self) -> None:
        for name in ("content", "argument", "thought"):
            text = getattr(self, name)
            if not text.isascii():
                object.__setattr__(self, name, whole_characters(text))

    @classmethod
    def call(cls, tool: str, argument: str, text: str = "", **more: Any) -> "Action":
        """The call of a tool, after a text. One that text cannot spell is made, but is not in `content`."""
        try:
            content = "\n\n".join(filter(None, [text, write_call(Call(tool, argument))]))
            read_call(content)
        except FormatError:
            content = text
        return cls(content=content, tool=tool, argument=argument, **more)

    @classmethod
    def read(cls, reply: str, thought: str = "", **more: Any) -> "Action":
        """An action from what a model wrote, in CWM's form. If its call is none that can be run, it has a `problem`."""
        message = reply
        try:
            found, message = split_thought(reply)
            thought = thought or found
            call = read_call(message)
        except FormatError as error:
            return cls(content=message, thought=thought, problem=str(error), **more)
        if call is None:
            return cls(content=message, thought=thought, **more)
        return cls(content=message, thought=thought, tool=call.tool, argument=call.argument, **more)

    @property
    def text(self) -> str:
        """What it says beside its call."""
        return without_call(self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """What an action did to a file, against the state before it."""

    path: str
    kind: str
    """`added`, `changed` or `removed`."""
    digest: str = ""
    """SHA-256 of what is in it now; empty if it is removed."""
    patch: str = ""
    """A unified diff; empty where the file is no text, or too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What a model learns to predict of a step: 1 or 0."""

    action: int = 1
    observation: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An action and what came of it."""

    number: int
    """From 1, without gaps."""
    action: Action
    role: str = ""
    """Who answers: `tool: NAME`, or `user` if no tool was run. Empty after a last message, which nobody answers."""
    observation: str = ""
    """What the policy saw, to the letter."""
    refused: bool = False
    """No tool was run, because the message has no call that can be."""
    ok: bool = True
    """The tool did what it was asked to do."""
    code: int | None = None
    """Exit code of a command."""
    status: str = ""
    """How a command ended: `ok`, `timeout`, `memory`, `killed`."""
    dropped: int = 0
    """Bytes of its output that nobody has seen: there were too many."""
    submission: str | None = None
    """The patch that was submitted in this step."""
    changes: tuple[FileChange, ...] = ()
    state: str = ""
    """Hash of the state of all files after the step."""
    snapshot: str = ""
    """Of that state, where the backend keeps any."""
    seconds: float = 0.0
    """Wall clock of the tool."""
    began: float = 0.0
    """Seconds since 1970."""
    loss: Loss = Loss()


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What was asked of whom, where, and under which limits."""

    episode: str
    task: str
    policy: JsonObject
    """Its `name`, and its settings."""
    system: str
    """The first message that the agent saw."""
    prompt: str
    """The second: its task."""
    repo: str = ""
    licence: str = ""
    image: str = ""
    """Digest of the image."""
    environment: JsonObject = field(default_factory=dict)
    """The backend, what it cannot do here, the limits."""
    budgets: JsonObject = field(default_factory=dict)
    tools: tuple[str, ...] = ()
    seed: int = 0
    state: str = ""
    """Hash of the state of all files before the first step."""
    attempt: int = 1
    """How often the episode has been begun."""
    versions: JsonObject = field(default_factory=dict)
    began: float = 0.0
    """Seconds since 1970."""
    schema: str = SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an episode came to."""

    ending: Ending
    submission: str = ""
    """The patch that was submitted last; empty if none was."""
    diff: str = ""
    """All that differs from the image in the end, as a patch: what was done, submitted or not."""
    state: str = ""
    turns: int = 0
    tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    grade: JsonObject | None = None
    """The verdict on the submission, once there is one: see `journal.record_grade`."""


@dataclass(frozen=True, slots=True)
class Trajectory:
    """An episode."""

    header: Header
    steps: tuple[Step, ...] = ()
    result: Result | None = None
    """None: it is not over."""

    def messages(self) -> list[dict[str, str]]:
        """The episode as a chat, in the form in which chats are commonly kept."""
        return chat_of(self.header.system, self.header.prompt, self.steps)


def chat_of(system: str, prompt: str, steps: tuple[Step, ...]) -> list[dict[str, str]]:
    """Messages with a `role` and a `content`; a tool's answer has its `name`, and a thought is a `thinking`."""
    messages = [{"role": "system", "content": system}, {"role": "user", "content": prompt}]
    for step in steps:
        thought = {"thinking": step.action.thought} if step.action.thought else {}
        messages.append({"role": "assistant", "content": step.action.content} | thought)
        if step.role:
            role, _, name = step.role.partition(": ")
            messages.append({"role": role, "content": step.observation} | ({"name": name} if name else {}))
    return messages


def loss_of(seed: int, episode: str, number: int) -> Loss:
    """What is learnt of a step: its action, and its observation in half of all cases, the same ones every time."""
    drawn = random.Random(f"{seed}/{episode}/{number}").random()
    return Loss(observation=int(drawn < OBSERVATIONS_LEARNT))
