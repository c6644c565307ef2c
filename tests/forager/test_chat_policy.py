"""A model on an OpenAI-compatible server drives whole episodes; the server is scripted, and misbehaves."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("httpx")

from model_server import ModelServer, Say, call, complaint_of
from toy_repository import BROKEN, CHECK, PATCH, backend, toy_task

from foretrace.endpoint import Endpoint
from foretrace.endpoint.retries import Retries
from foretrace.endpoint.threads import in_threads
from foretrace.errors import EndpointError, UsageError
from foretrace.forager.agent import Setting
from foretrace.forager.budgets import Budgets
from foretrace.forager.episodes import insist, run_episode
from foretrace.forager.journal import read_trajectory
from foretrace.forager.policies.chat import Chat, Style
from foretrace.forager.task import Task
from foretrace.forager.trajectory import Ending, Result, Trajectory

REPAIR = [
    replace(call("bash", command=CHECK), text="I try it.", thought="A sign?"),
    call("view", path="a.py", first=1, last=2),
    call("edit", path="a.py", search="    return a - b\n", replacement="    return a + b\n"),
    call("bash", command=f"{CHECK} && git diff > /tmp/fix.patch"),
    call("submit", path="/tmp/fix.patch"),
    Say("## Cause\n\nA sign, é\u2028🦊."),
]
REPAIR_IN_TEXT = [
    Say(f"<think>\nA sign?\n</think>\nI try it.\n<tool: bash>\n{CHECK}\n</tool>"),
    Say("<tool: view>\na.py\n1 2\n</tool>"),
    Say("<tool: edit>\na.py\n<<<<<<< SEARCH\n    return a - b\n=======\n    return a + b\n>>>>>>> REPLACE\n</tool>"),
    Say(f"<tool: bash>\n{CHECK} && git diff > /tmp/fix.patch\n</tool>"),
    Say("<tool: submit>\n/tmp/fix.patch\n</tool>"),
    Say("## Cause\n\nA sign, é\u2028🦊."),
]


def scripted(turns: list[Say]) -> Callable[[list[dict[str, Any]]], Say]:
    """Says the turn that the messages have come to: the server keeps no state, as real ones keep none."""
    return lambda messages: turns[min(sum(m["role"] == "assistant" for m in messages), len(turns) - 1)]


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return toy_task(tmp_path_factory.mktemp("image"))


@pytest.fixture
def server() -> Iterator[ModelServer]:
    started = ModelServer(scripted(REPAIR))
    yield started
    started.close()


def endpoint(server: ModelServer, **more: Any) -> Endpoint:
    quick = Retries(most=3, first_wait=0.01)
    return Endpoint(server.url, model="m", retries=quick, timeout=0.3, prices=(1.0, 10.0), **more)


def setting(**budgets: Any) -> Setting:
    return Setting(backend=backend(), budgets=Budgets(**({"command_seconds": 20} | budgets)))


def run(task: Task, policy: Chat, folder: Path, **budgets: Any) -> tuple[Trajectory, Result]:
    found = run_episode(task, policy, folder, setting(**budgets))
    assert found is not None
    assert found.result is not None
    return found, found.result


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("style", "turns"), [("functions", REPAIR), ("cwm", REPAIR_IN_TEXT), ("text", REPAIR_IN_TEXT)])
def test_a_bug_is_repaired(
    task: Task, server: ModelServer, tmp_path: Path, style: Style, turns: list[Say], stream: bool
) -> None:
    server.brain = scripted(turns)
    trajectory, result = run(task, Chat(endpoint(server), style=style, stream=stream), tmp_path)
    assert (result.ending, result.diff) == (Ending.SUBMITTED, PATCH)
    assert [(s.action.tool, s.ok) for s in trajectory.steps] == [
        ("bash", False),
        ("view", True),
        ("edit", True),
        ("bash", True),
        ("submit", True),
        ("", True),
    ]
    first = trajectory.steps[0].action
    assert (first.thought, first.text, first.argument) == ("A sign?", "I try it.", CHECK)
    assert trajectory.steps[-1].action.content == "## Cause\n\nA sign, é\u2028🦊."
    assert all(complaint_of(request["messages"]) == "" for request in server.requests)


def test_all_styles_make_the_same_episode(task: Task, server: ModelServer, tmp_path: Path) -> None:
    found = []
    styles: list[tuple[Style, list[Say]]] = [("functions", REPAIR), ("cwm", REPAIR_IN_TEXT)]
    for style, turns in styles:
        server.brain = scripted(turns)
        trajectory, _ = run(task, Chat(endpoint(server), style=style), tmp_path)
        found.append([(s.action.tool, s.action.argument, s.changes, s.state, s.code) for s in trajectory.steps])
    assert found[0] == found[1]


def test_what_the_model_is_shown(task: Task, server: ModelServer, tmp_path: Path) -> None:
    trajectory, _ = run(task, Chat(endpoint(server, temperature=0.5)), tmp_path / "functions")
    request = server.requests[-1]
    assert [message["role"] for message in request["messages"]] == ["system", "user", *["assistant", "tool"] * 5]
    assert [tool["function"]["name"] for tool in request["tools"]] == ["bash", "view", "create", "edit", "submit"]
    assert (request["temperature"], request["stream"], request["parallel_tool_calls"]) == (0.5, True, False)
    assert "max_tokens" not in request, "a server with a smaller context refuses what asks for more than that"
    assert "<tool: bash>" not in request["messages"][0]["content"]
    assert request["messages"][3]["content"] == trajectory.steps[0].observation
    server.brain = scripted(REPAIR_IN_TEXT)
    trajectory, _ = run(task, Chat(endpoint(server), style="cwm"), tmp_path / "cwm")
    messages = server.requests[-1]["messages"]
    assert "tools" not in server.requests[-1]
    assert "<tool: bash>\n[commands]\n</tool>" in messages[0]["content"]
    assert messages[2]["content"] == REPAIR_IN_TEXT[0].text
    assert messages[3] == {"role": "tool", "name": "bash", "content": trajectory.steps[0].observation}
    run(task, Chat(endpoint(server), style="text"), tmp_path / "text")
    assert [message["role"] for message in server.requests[-1]["messages"]] == ["system", "user", *["assistant", "user"] * 5]


@pytest.mark.parametrize("stream", [True, False])
def test_faults_cost_nothing(task: Task, server: ModelServer, tmp_path: Path, stream: bool) -> None:
    """Every request fails once, each in another way, and the episode is what it would have been."""
    faults = ["429", "cut", "timeout", "html", "error", "500"] if stream else ["429", "503", "timeout", "html", "408", "500"]
    calm, _ = run(task, Chat(endpoint(server), stream=stream), tmp_path / "calm")
    server.requests.clear()
    server.faults = [fault for name in faults for fault in (name, "")]
    policy = Chat(endpoint(server), stream=stream)
    trajectory, result = run(task, policy, tmp_path / "wild")
    assert (result.ending, result.diff) == (Ending.SUBMITTED, PATCH)
    assert (len(server.requests), policy.endpoint.usage.retries, policy.endpoint.usage.requests) == (12, 6, 6)
    assert [s.action.content for s in trajectory.steps] == [s.action.content for s in calm.steps]
    assert [s.state for s in trajectory.steps] == [s.state for s in calm.steps]


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (Say(calls=(("bash", '{"command": "ls'),)), "the arguments of bash are no JSON"),
        (Say(calls=(("bash", "[1]"),)), "are no JSON object"),
        (Say(calls=(("bash", "{}"),)), "bash takes command: command missing"),
        (Say(calls=(("bash", '{"command": "ls", "cwd": "/"}'),)), "cwd unknown"),
        (Say(calls=(("bash", '{"command": ["ls"]}'),)), "command of bash is no text"),
        (Say(calls=(("fly", "{}"),)), "there is no tool 'fly'"),
        (Say(calls=(("bash", '{"command": "touch x"}'), ("bash", '{"command": "ls"}'))), "this message has 2 (bash, bash)"),
        (Say(calls=(("bash", '{"command": "touch x; ec'),), finish_reason="length"), "was cut, for it was too long"),
        (Say("I would now", finish_reason="length"), "was cut, for it was too long"),
        (Say(""), "the message is empty"),
        (Say("I am done."), "nothing is submitted yet"),
        (Say("<think>\nhm"), "the thought does not end"),
        (Say("<tool: bash>\ntouch x"), "the tool call is not whole"),
    ],
)
def test_malformed_calls_are_answered_and_nothing_is_run(
    task: Task, server: ModelServer, tmp_path: Path, bad: Say, complaint: str
) -> None:
    server.brain = scripted([bad, *REPAIR])
    trajectory, result = run(task, Chat(endpoint(server)), tmp_path)
    step = trajectory.steps[0]
    assert (step.refused, step.role, step.changes) == (True, "user", ())
    assert complaint in step.observation
    assert (result.ending, result.diff, result.turns) == (Ending.SUBMITTED, PATCH, 7)
    assert step.action.info["reply"].get("tool_calls") == bad.message().get("tool_calls"), "what came is kept as it came"


def test_one_episode_with_everything_at_once_loses_nothing(task: Task, server: ModelServer, tmp_path: Path) -> None:
    """Streamed calls; before each turn a fault; calls that cannot be run; huge outputs; and the server fails for good once."""
    chatter = Say("I think. " * 2000)
    flood = call("bash", command="seq 1000000")  # 6.9 MB
    long_call = call("bash", command="cat > long <<'END'\n" + "y" * 20_000 + "\nEND\nwc -c long; rm long")
    bad = [Say(calls=(("bash", '{"command": "touch x'),)), Say(calls=(("fly", "{}"),)), Say(calls=(("bash", "[1]"),))]
    turns = [*bad[:2], flood, chatter, *REPAIR[:2], bad[2], long_call, *REPAIR[2:]]
    server.brain = scripted(turns)
    calm, _ = run(task, Chat(endpoint(server)), tmp_path / "calm")
    faults = [each for fault in ("timeout", "429", "cut", "error", "html", "503") * 2 for each in (fault, "")]
    server.requests.clear()
    server.faults = [*faults[:10], *["500"] * 4]
    first, second = Chat(endpoint(server)), Chat(endpoint(server))
    with pytest.raises(EndpointError, match="answered 500"):
        run(task, first, tmp_path / "wild")
    server.faults = list(faults)
    trajectory, result = run(task, second, tmp_path / "wild")

    assert (result.ending, result.diff, result.turns) == (Ending.SUBMITTED, PATCH, len(turns))
    assert read_trajectory(tmp_path / "wild" / f"{trajectory.header.episode}.jsonl") == trajectory
    for step, other, said in zip(trajectory.steps, calm.steps, turns, strict=True):
        assert (step.action.content, step.observation, step.state) == (other.action.content, other.observation, other.state)
        assert step.action.info["reply"].get("tool_calls") == said.message().get("tool_calls"), "kept as it came"
        assert (step.action.info["reply"].get("content") or "") == said.text
        assert len(step.observation) < 17_000
    assert [s.number for s in trajectory.steps if s.refused] == [1, 2, 4, 7]
    assert trajectory.steps[2].observation.startswith("<output>\n1\n2\n")
    assert "\n1000000\n" in trajectory.steps[2].observation
    assert "20001 long" in trajectory.steps[7].observation
    shown = server.requests[-1]["messages"][2:]  # in the end the model has seen all that is in the record, as it is there
    assert [m["content"] for m in shown if m["role"] in ("tool", "user")] == [s.observation for s in trajectory.steps[:-1]]
    assert all(complaint_of(request["messages"]) == "" for request in server.requests)
    usages = [policy.endpoint.usage.requests for policy in (first, second)]
    assert min(usages) > 0  # on a busy machine a server may be too slow once, which takes one of the faults
    assert sum(usages) == len(turns), "no turn is asked for twice"


def test_a_call_in_text_is_taken_at_its_word(task: Task, server: ModelServer, tmp_path: Path) -> None:
    """Models that were told of functions write calls as text all the same."""
    server.brain = scripted([REPAIR_IN_TEXT[0], *REPAIR[1:]])
    _, result = run(task, Chat(endpoint(server)), tmp_path)
    assert (result.ending, result.turns) == (Ending.SUBMITTED, 6)


def test_what_text_cannot_spell_a_function_can(task: Task, server: ModelServer, tmp_path: Path) -> None:
    server.brain = scripted([call("bash", command="echo '</tool>' | tee x"), *REPAIR])
    trajectory, result = run(task, Chat(endpoint(server)), tmp_path)
    assert "<output>\n</tool>\n</output>" in trajectory.steps[0].observation
    assert result.ending is Ending.SUBMITTED


def test_a_model_that_does_not_stop_is_cut(task: Task, server: ModelServer, tmp_path: Path) -> None:
    server.brain = scripted([Say("x" * 50_000), *REPAIR])
    trajectory, _ = run(task, Chat(endpoint(server)), tmp_path, reply=100)
    assert 1600 < len(trajectory.steps[0].action.content) < 1700
    assert server.requests[0]["max_tokens"] == 100
    assert trajectory.steps[0].refused


def test_costs_are_counted_and_limited(task: Task, server: ModelServer, tmp_path: Path) -> None:
    policy = Chat(endpoint(server))
    trajectory, result = run(task, policy, tmp_path / "all")
    usage = policy.endpoint.usage
    assert usage.prompt_tokens == sum(s.action.usage.prompt_tokens for s in trajectory.steps) > 3000
    assert (
        result.cost == pytest.approx(usage.cost) == pytest.approx((usage.prompt_tokens + 10 * usage.completion_tokens) / 1e6)
    )
    last = trajectory.steps[-1].action.usage
    assert result.tokens == last.prompt_tokens + last.completion_tokens
    trajectory, result = run(task, Chat(endpoint(server)), tmp_path / "few", cost=result.cost / 2)
    assert result.ending is Ending.COST
    assert len(trajectory.steps) < 6
    assert result.cost >= result.cost / 2


def test_a_conversation_that_is_too_long_ends_the_episode(task: Task, server: ModelServer, tmp_path: Path) -> None:
    def brain(messages: list[dict[str, Any]]) -> Say:
        return scripted(REPAIR)(messages)

    original = server.answer

    def answer(handler: Any, body: dict[str, Any], fault: str) -> None:
        if len(body["messages"]) > 4:
            from model_server import send

            send(handler, 400, {"error": {"message": "This model's maximum context length is 8192 tokens.", "code": 400}})
        else:
            original(handler, body, fault)

    server.brain = brain
    server.answer = answer  # type: ignore[method-assign]
    trajectory, result = run(task, Chat(endpoint(server)), tmp_path)
    assert (result.ending, len(trajectory.steps)) == (Ending.TOKENS, 2)


def test_a_server_that_is_down_leaves_an_episode_that_goes_on(task: Task, server: ModelServer, tmp_path: Path) -> None:
    server.faults = ["", "", "500", "500", "500", "500"]
    with pytest.raises(EndpointError, match=r"answered 500: .*busy.* \(tried 4 times\)"):
        run(task, Chat(endpoint(server)), tmp_path)
    (part,) = tmp_path.glob("*.part")
    assert len(read_trajectory(part).steps) == 2
    answered = server.answered
    policy = Chat(endpoint(server))
    trajectory, result = run(task, policy, tmp_path)
    assert (result.ending, result.diff, result.turns) == (Ending.SUBMITTED, PATCH, 6)
    assert server.answered - answered == policy.endpoint.usage.requests == 4, "no turn that was paid for is paid for again"
    assert [s.number for s in trajectory.steps] == [1, 2, 3, 4, 5, 6]


def test_episodes_share_a_server(task: Task, tmp_path: Path) -> None:
    """Twelve at a time, faults among them, on one policy: each is whole, and none is mixed with another."""

    lock, thinking, most = (
        threading.Lock(),
        0,
        0,
    )  # counted here: a request is over for its client before it is for the server

    def brain(messages: list[dict[str, Any]]) -> Say:
        nonlocal thinking, most
        with lock:
            thinking += 1
            most = max(most, thinking)
        time.sleep(0.02)
        with lock:
            thinking -= 1
        name = messages[1]["content"].split("number ")[1].split(".")[0]
        mine = [call("bash", command=f"echo {name} > name"), call("bash", command="cat name"), *REPAIR]
        return scripted(mine)(messages)

    server = ModelServer(brain, faults=["429", "", "cut", "", "500", "", "error", "", "429", "", "html"])
    policy = Chat(endpoint(server, concurrency=4))
    policy.endpoint.timeout = 5
    try:
        tasks = [replace(task, id=f"t{n}", problem=f"This is number {n}. {task.problem}") for n in range(12)]
        outcomes = list(in_threads(lambda t: (t, insist(t, lambda: policy, tmp_path, setting())), tasks, threads=12))
    finally:
        server.close()
    for number, (mine, outcome) in enumerate(outcomes):
        assert mine.id == f"t{number}"
        assert isinstance(outcome, Trajectory)
        assert outcome.result is not None
        assert outcome.result.ending is Ending.SUBMITTED
        assert f"<output>\n{number}\n</output>" in outcome.steps[1].observation
    assert 2 <= most <= 4
    assert policy.endpoint.usage.requests == 12 * 8


class Odd(Say):
    """Says what is JSON for some servers, and neither for files nor for others."""

    def message(self) -> dict[str, Any]:
        return super().message() | {"score": float("nan")}


def test_odd_replies_can_be_kept_and_sent_back(task: Task, tmp_path: Path) -> None:
    turns = [Odd(calls=(("bash", '{"command": "echo \ud83d"}'),)), Odd("I give up.")]
    server = ModelServer(scripted(list(turns)))
    try:
        trajectory, _ = run(task, Chat(endpoint(server), stream=False), tmp_path)
    finally:
        server.close()
    assert [step.action.tool for step in trajectory.steps][:1] == ["bash"]
    assert trajectory.steps[0].action.argument == "echo \ufffd"
    assert trajectory.steps[0].action.info["reply"]["score"] == "NaN"


def test_pieces_are_told_as_they_come(task: Task, server: ModelServer, tmp_path: Path) -> None:
    heard: list[str] = []
    run(task, Chat(endpoint(server), on_text=heard.append), tmp_path)
    assert len(heard) > 5
    assert "".join(heard) == "I try it.## Cause\n\nA sign, é\u2028🦊."


def test_the_record_holds_the_model_and_no_secret(
    task: Task, server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-0123")
    trajectory, _ = run(task, Chat(endpoint(server, seed=3)), tmp_path)
    policy = trajectory.header.policy
    assert (policy["name"], policy["model"], policy["seed"], policy["style"]) == ("chat", "m", 3, "functions")
    assert trajectory.steps[0].action.info["model"] == "m-1"
    (path,) = tmp_path.iterdir()
    assert "sk-secret" not in path.read_text()
    assert BROKEN not in json.dumps(policy)


def test_requests_can_have_other_fields(task: Task, server: ModelServer, tmp_path: Path) -> None:
    fields = {"chat_template_kwargs": {"enable_thinking": True}, "parallel_tool_calls": None}
    trajectory, _ = run(task, Chat(endpoint(server), fields=fields), tmp_path)
    assert server.requests[0]["chat_template_kwargs"] == {"enable_thinking": True}
    assert "parallel_tool_calls" not in server.requests[0]
    assert trajectory.header.policy["fields"] == fields


def test_an_endpoint_without_turns_is_refused(server: ModelServer) -> None:
    with pytest.raises(UsageError, match="an endpoint of chats"):
        Chat(endpoint(server, chat=False))
