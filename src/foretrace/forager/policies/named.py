"""Policies by the names that a user gives them.

    named = read_policy("http://localhost:8000/v1,model=qwen3,style=cwm")
    policy = named.make(task_id="toolz-1.2.0.return_removed.7a83", seed=3)

What is read is plain data, so that it can go to other processes and machines; policies are made where they act.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from foretrace.endpoint import Endpoint
from foretrace.errors import UsageError
from foretrace.forager.journal import read_trajectories, read_trajectory
from foretrace.forager.policies.chat import Chat
from foretrace.forager.policies.gates import Null, Oracle, Random
from foretrace.forager.policies.human import Human
from foretrace.forager.policies.replay import Replay
from foretrace.forager.policies.types import Policy
from foretrace.forager.trajectory import Trajectory

FORMS = """\
a policy is one of
  search[,NAME=VALUE…]                     without a model: reads failures, tries repairs, submits what passes
  oracle, null, random                     the right answer, no answer, chance: what tasks are checked with
  human                                    you, at this terminal
  replay:PATH                              the actions of a trajectory, or of a run: those of each task
  URL,model=NAME[,style=functions|cwm|text][,temperature=…][,max_tokens=…][,timeout=…][,concurrency=…][,prices=IN+OUT]
                                           an OpenAI-compatible server; its key is in $OPENAI_API_KEY"""
_NUMBERS: Mapping[str, Callable[[str], float | int]] = {
    "temperature": float,
    "max_tokens": int,
    "timeout": float,
    "concurrency": int,
}
_SIMPLE: Mapping[str, Callable[[int], Policy]] = {
    "oracle": lambda seed: Oracle(),
    "null": lambda seed: Null(),
    "random": lambda seed: Random(seed=seed),
    "human": lambda seed: Human(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPolicy:
    """A policy that is not made yet."""

    spec: str
    """As the user gave it."""
    kind: str
    """`search`, `oracle`, `null`, `random`, `human`, `replay` or `chat`."""
    place: str = ""
    """A path or an address."""
    values: Mapping[str, str] = field(default_factory=dict)

    def make(self, task_id: str, seed: int) -> Policy:
        """The policy for an episode.

        Raises:
            UsageError: it cannot be had: a value is wrong, or there is nothing to replay for this task.

        """
        if self.kind in _SIMPLE:
            return _SIMPLE[self.kind](seed)
        if self.kind == "replay":
            return Replay.of(_recorded(Path(self.place), task_id).steps)
        if self.kind == "search":
            return _search(self.values, seed)
        endpoint = _endpoint(self.place, tuple(self.values.items()), seed)
        return Chat(endpoint, style=_style(self.values.get("style", "functions")))


def read_policy(spec: str) -> NamedPolicy:
    """The policy that a text names.

    Raises:
        UsageError: it names none.

    """
    head, *rest = spec.split(",")
    pairs = [item.partition("=") for item in rest]
    values = {name.strip(): value.strip() for name, _, value in pairs}
    if any(not separator for _, separator, _ in pairs):
        raise UsageError(f"{spec!r}: settings are NAME=VALUE, with commas between them; {FORMS}")
    kind, place = head, ""
    if head.startswith(("http://", "https://")):
        kind, place = "chat", head
    elif head.startswith("replay:"):
        kind, place = "replay", head.removeprefix("replay:")
    elif head not in (*_SIMPLE, "search"):
        raise UsageError(f"there is no policy {spec!r}; {FORMS}")
    if values and kind not in ("chat", "search"):
        raise UsageError(f"{head} has no settings: {', '.join(values)}; {FORMS}")
    if kind == "replay" and not Path(place).exists():
        raise UsageError(f"{place}: nothing to replay there: no such file or folder")
    named = NamedPolicy(spec=spec, kind=kind, place=place, values=values)
    if kind in ("chat", "search"):
        named.make("", 0)  # what is wrong is said before anything is begun
    return named


def _recorded(path: Path, task_id: str) -> Trajectory:
    if path.is_file():
        return read_trajectory(path)
    inside = path / "trajectories"
    for trajectory in read_trajectories(inside if inside.is_dir() else path):
        if trajectory.header.task == task_id:
            return trajectory
    raise UsageError(f"{path} has no finished episode of {task_id} to replay")


def _search(values: Mapping[str, str], seed: int) -> Policy:
    from foretrace.forager.policies.search import Search  # brings libcst

    try:
        numbers: dict[str, Any] = {name: _number(text) for name, text in values.items()}
        return Search(seed=seed, **numbers)
    except TypeError as error:
        raise UsageError(f"the policy search does not have such a setting: {error}") from error


def _number(text: str) -> float | int:
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no number") from error


@lru_cache(maxsize=256)
def _endpoint(url: str, settings: tuple[tuple[str, str], ...], seed: int) -> Endpoint:
    """One for all episodes of a seed in this process: they share its connections, and `concurrency` is theirs together."""
    values = dict(settings)
    known = ("model", "style", "prices", *_NUMBERS)
    unknown = [name for name in values if name not in known]
    if unknown or not values.get("model"):
        problem = f"there is no setting {unknown[0]!r}" if unknown else "which model? Say model=NAME"
        raise UsageError(f"{url}: {problem}; settings are {', '.join(known)}")
    try:
        numbers: dict[str, Any] = {name: read(values[name]) for name, read in _NUMBERS.items() if name in values}
        first, _, second = values.get("prices", "0+0").partition("+")
        prices = (float(first), float(second or first))
    except ValueError as error:
        raise UsageError(f"{url}: a setting is no number: {error}") from error
    return Endpoint(url, model=values["model"], seed=seed, prices=prices, **numbers)


def _style(name: str) -> Any:
    if name not in ("functions", "cwm", "text"):
        raise UsageError(f"there is no style {name!r}; there are: functions, cwm, text")
    return name
