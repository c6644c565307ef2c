"""What environments make of what a policy says. Everything here runs; only the policy is played by us."""

from collections.abc import Sequence
from typing import Any

import pytest
from random_checkpoints import TOKENIZER

from foretrace.data.chat import Message, message_parts
from foretrace.data.special import ChatToken
from foretrace.engine import build_prompt
from foretrace.evals.types import Setting
from foretrace.record import record_source
from foretrace.rl.environments.agentic import AgenticCoding
from foretrace.rl.environments.contest import ContestProgram, contest_task
from foretrace.rl.environments.dialogue import Dialogue, code_in
from foretrace.rl.environments.examples import FunctionFromExamples, examples_task
from foretrace.rl.environments.maths import Mathematics, maths_task
from foretrace.rl.environments.output import OutputPrediction, output_task
from foretrace.rl.rewards import patch_reward, right_or_wrong, with_length_limit
from foretrace.rl.types import Environment, Task, Transition
from foretrace.trace import Token, frame_segments

WEAK = Setting(isolation="process", repeats=0)


def say(text: str, *, ended: bool = True) -> list[int]:
    """An action in tokens, as a policy would write it."""
    return TOKENIZER.encode([text, ChatToken.END_OF_TURN] if ended else [text])


def seen(transition: Transition) -> str:
    """What the policy sees, as text."""
    return "".join(s if isinstance(s, str) else s.value for s in TOKENIZER.decode(list(transition.observation)))


def outcome(environment: Environment, task: Task, *turns: str) -> dict[str, Any]:
    transition = environment.start(task, 0)
    for turn in turns:
        transition = environment.step(transition.state, say(turn))
    assert transition.is_over
    return dict(transition.outcome)


# ---- dialogue


def test_a_dialogue_in_pieces_is_the_dialogue_as_a_whole() -> None:
    dialogue = Dialogue(TOKENIZER)
    opening = dialogue.opening([Message("system", "Be brief."), Message("user", "2 + 2?")])
    answered = dialogue.answer(Message("tool", "4", tool="python"))
    pieces = [*opening, *say("<tool: python>\nprint(2 + 2)\n</tool>"), *answered, *say("4")]
    messages = [
        Message("system", "Be brief."),
        Message("user", "2 + 2?"),
        Message("assistant", "<tool: python>\nprint(2 + 2)\n</tool>"),
        Message("tool", "4", tool="python"),
        Message("assistant", "4"),
    ]
    whole = [Token.BEGIN_OF_TEXT, *(segment for message in messages for segment, _ in message_parts(message))]
    assert TOKENIZER.decode(pieces) == TOKENIZER.decode(TOKENIZER.encode(whole))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("so it is</think>4", ""),
        ("4", "there is no </think>"),
        ("a</think>b</think>4", "not ended by one"),
        ("</think><tool: python>\nprint(1)", "not whole"),
    ],
)
def test_a_thought_must_end_once_where_one_is_asked_for(text: str, problem: str) -> None:
    said = Dialogue(TOKENIZER, think=True).read(say(text))
    assert (problem in said.problem) if problem else (said.problem == "" and said.text == "4")


def test_a_turn_that_was_cut_is_none() -> None:
    assert "does not end" in Dialogue(TOKENIZER).read(say("print(", ended=False)).problem


def test_exactly_one_block_of_code_counts() -> None:
    assert code_in("Here:\n```python\nprint(1)\n```\nDone.") == "print(1)\n"
    assert code_in("```\na\n```\nor\n```\nb\n```") is None
    assert code_in("print(1)") is None


# ---- output prediction

SOURCE = "def f(n):\n    n = n * 2\n    return [n]\n"


def trace_tokens(arguments: str = "3") -> list[int]:
    """The real trace, as a policy should write it."""
    trace, prompt = record_source(SOURCE, "f", arguments), build_prompt(SOURCE, "f", arguments)
    frames = list(frame_segments(trace.frames))[len(prompt.frames) :]
    return TOKENIZER.encode([segment for frame in frames for segment in frame] + [Token.END_OF_TEXT])


def predicted(action: Sequence[int], expected: str = "[6]") -> dict[str, Any]:
    environment = OutputPrediction(TOKENIZER)
    start = environment.start(output_task("t", SOURCE, "f", "3", expected), 0)
    return dict(environment.step(start.state, list(action)).outcome)


def test_the_value_of_the_last_frame_is_what_counts() -> None:
    assert predicted(trace_tokens()) == {"right": True, "value": "[6]", "format": ""}
    assert predicted(trace_tokens(), expected="[7]")["right"] is False
    assert predicted(trace_tokens("4")) == {"right": False, "value": "[8]", "format": ""}


def test_a_trace_that_is_none_is_wrong_and_says_why() -> None:
    tokens = trace_tokens()
    assert predicted(tokens[:-1]) == {"right": False, "value": None, "format": "the text does not end"}
    assert "ends" in predicted([*tokens[:5], tokens[-1]])["format"]
    assert predicted(tokens[5:])["right"] is False


def test_a_jump_is_the_last_frame_alone() -> None:
    environment = OutputPrediction(TOKENIZER, jumps=True)
    trace = record_source(SOURCE, "f", "3")
    *_, last = frame_segments(trace.frames)
    event, action, line, argument, *rest = last
    start = environment.start(output_task("t", SOURCE, "f", "3", "[6]"), 0)
    assert TOKENIZER.decode(list(start.observation))[-4:] == [event, action, line, argument]
    written = TOKENIZER.encode([argument, *rest])[1:]  # how a text is encoded depends on what is before it
    assert written[-1] in environment.stop
    assert environment.step(start.state, written).outcome == {"right": True, "value": "[6]", "format": ""}
    cut = environment.step(start.state, written[:-1]).outcome
    assert (cut["right"], cut["value"]) == (False, None)
    assert "ends" in cut["format"]


# ---- functions from examples

DOUBLE = examples_task("double", "double", shown=[("2", "4"), ("0", "0")], hidden=[("7", "14"), ("'ab'", "'abab'")])


@pytest.mark.parametrize(
    ("text", "right", "shown", "reason"),
    [
        ("def double(x):\n    return x * 2", True, True, ""),
        ("Sure:\n```python\ndef double(x):\n    return x + x\n```", True, True, ""),
        ("def double(x):\n    return {2: 4, 0: 0}.get(x)", False, True, "wrong"),  # knows what was shown
        ("def double(x):\n    return x", False, False, "wrong"),
        ("def double(x)\n    return x", False, False, "error"),
        ("import os\nos._exit(0)", False, False, ""),
        ("class Any:\n    def __eq__(self, other): return True\ndef double(x): return Any()", False, False, ""),
    ],
)
def test_hidden_examples_decide(text: str, right: bool, shown: bool, reason: str) -> None:
    told = outcome(FunctionFromExamples(TOKENIZER, setting=WEAK), DOUBLE, text)
    assert (told["right"], told["shown"]) == (right, shown)
    assert reason in told["reason"]


def test_what_is_hidden_is_not_shown() -> None:
    start = FunctionFromExamples(TOKENIZER, setting=WEAK).start(DOUBLE, 0)
    assert "double(2) == 4" in seen(start)
    assert "14" not in seen(start)
    assert "abab" not in seen(start)


# ---- contests

SQUARE = contest_task("square", "Read n, print n * n.", [("3\n", "9\n"), ("5\n", "25\n")])


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("easy</think>```python\nprint(int(input()) ** 2)\n```", True),
        ("easy</think>```python\nprint(9)\n```", False),
        ("```python\nprint(int(input()) ** 2)\n```", False),  # there is no thought
        ("a</think>```python\nprint(1)\n```\n```python\nprint(int(input()) ** 2)\n```", False),
        ("a</think>```python\nwhile True: pass\n```", False),
    ],
)
def test_a_program_passes_all_tests_or_is_wrong(text: str, right: bool) -> None:
    task = Task(environment="contest", id="s", data=dict(SQUARE.data) | {"seconds": 1.0})
    assert outcome(ContestProgram(TOKENIZER, setting=WEAK), task, text)["right"] is right


# ---- mathematics

SUM = maths_task("sum", "What is 1/4 + 1/4?", "\\frac{1}{2}")


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("t</think>It is $\\boxed{\\frac12}$.", True),
        ("t</think>\\boxed{0.5}", True),
        ("t</think>\\boxed{0.4}", False),
        ("t</think>\\boxed{0.5} or \\boxed{2}", False),
        ("\\boxed{0.5}", False),
    ],
)
def test_one_box_behind_one_thought(text: str, right: bool) -> None:
    pytest.importorskip("math_verify")
    assert outcome(Mathematics(TOKENIZER, setting=WEAK), SUM, text)["right"] is right


def test_python_may_be_asked_and_not_too_often() -> None:
    pytest.importorskip("math_verify")
    environment = Mathematics(TOKENIZER, think=False, tool=True, setting=WEAK)
    call = "<tool: python>\nprint(1 / 4 + 1 / 4)\n</tool>"
    transition = environment.start(SUM, 0)
    assert "<tool: python>" in seen(transition)
    transition = environment.step(transition.state, say(call))
    assert "0.5\n" in seen(transition)
    assert not transition.is_over
    told = environment.step(transition.state, say("\\boxed{0.5}")).outcome
    assert (told["right"], told["calls"]) == (True, 1)
    assert outcome(environment, SUM, *[call] * 5)["right"] is False


# ---- tools


def test_agentic_coding_has_a_box_that_can_be_cloned() -> None:
    task = contest_task("square", SQUARE.data["statement"], [("3\n", "9\n")], environment="agentic")
    environment = AgenticCoding(TOKENIZER)
    first = environment.start(task, 0)
    assert "<tool: bash>" in seen(first)
    made = environment.step(first.state, say("<tool: bash>\necho 'print(int(input())**2)' > a.py; cd /tmp\n</tool>"))
    other = environment.clone(made.state)
    gone = environment.step(made.state, say("<tool: bash>\nrm /problem/a.py; ls /problem\n</tool>"))
    assert "a.py" not in seen(gone)
    kept = environment.step(other, say("<tool: bash>\npwd; echo 3 | python3 /problem/a.py\n</tool>"))
    assert "/tmp\n9\n" in seen(kept)
    refused = environment.step(kept.state, say("<tool: submit>\na.py\n</tool>"))
    assert "there is no tool 'submit'" in seen(refused)
    over = environment.step(refused.state, say("```python\nprint(int(input()) ** 2)\n```"))
    assert over.is_over
    assert over.outcome == {"right": True, "reason": "", "turns": 4}
    wrong = environment.step(gone.state, say("```python\nprint(8)\n```"))
    assert wrong.outcome["right"] is False


# ---- rewards


def test_rewards() -> None:
    right, wrong = (Transition(state=None, is_over=True, outcome={"right": right}) for right in (True, False))
    assert (right_or_wrong(right, [1]), right_or_wrong(wrong, [1])) == (1, -1)
    assert right_or_wrong(Transition(state=None), [1]) == 0
    half = Transition(state=None, is_over=True, outcome={"right": False, "similarity": 0.5})
    assert (patch_reward(right, []), patch_reward(half, []), patch_reward(wrong, [])) == (1, 0, -1)
    limited = with_length_limit(right_or_wrong, free=10, most=20)
    assert [limited(right, [0] * length) for length in (10, 15, 20, 99)] == [1, 0.5, 0, 0]
    assert limited(wrong, [0] * 99) == -1
