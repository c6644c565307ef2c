"""The text form of calls, observations and transcripts is that of CWM's release."""

import random
import re

import pytest

from foretrace.data.chat import chat_parts
from foretrace.data.conversations import conversation
from foretrace.errors import FormatError
from foretrace.forager.format import (
    Call,
    Message,
    observation,
    parse_transcript,
    read_call,
    read_observation,
    render_transcript,
    split_thought,
    without_call,
    write_call,
)

META = re.compile(r"<tool:\s([a-zA-Z_]+)>\n(.*?)\n</tool>", re.DOTALL)
"""How the release finds calls (`cwm/rl/swerl/default_tools.py`)."""

TRANSCRIPT = (
    "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nYou are a helpful AI assistant. You always reason before "
    "responding.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nFix `add`.\n\n  It subtracts.<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n<think>\nLook first.\n</think>\nI look.\n\n"
    "<tool: bash>\ncat a.py\n</tool><|eot_id|>"
    "<|start_header_id|>tool: bash<|end_header_id|>\n\n<output>\ndef add(a, b):\n    return a - b\n\n</output>\n\n"
    "<budget>\n* Remaining turns: 127\n* Remaining tokens: 130001\n</budget><|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n<tool: edit>\na.py\n<<<<<<< SEARCH\n    return a - b\n=======\n"
    "    return a + b\n>>>>>>> REPLACE\n</tool><|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nFormatError: No tool calls found<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n## Issue Summary\n\nDone.<|eot_id|>"
)
"""In the form of the release, byte for byte."""


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("<tool: bash>\nls\n</tool>", Call("bash", "ls")),
        ("I look.\n<tool: bash>\nls\n\n</tool>\nThen more.", Call("bash", "ls\n")),
        ("<tool:\tedit>\n a\n</tool>", Call("edit", " a")),
        ("nothing to do", None),
        ("a < b, </b>", None),
    ],
)
def test_one_call_is_read(text: str, call: Call | None) -> None:
    assert read_call(text) == call
    assert META.findall(text) == ([(call.tool, call.argument)] if call else [])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("<tool: bash>\nls\n</tool><tool: bash>\nls\n</tool>", r"has 2 \(bash, bash\), and none was run"),
        ("<tool: bash>\nls", "not whole"),
        ("<tool: bash>ls</tool>", "not whole"),
        ("<tool: bash>\n</tool>", "not whole"),
        ("ls\n</tool>", "not whole"),
        ("<tool: bash>\ngrep '<tool:' a\n</tool>", "not whole"),
        ("<tool: bash>\n  \n</tool>", "the call of bash is empty"),
    ],
)
def test_bad_calls_are_answered(text: str, complaint: str) -> None:
    with pytest.raises(FormatError, match=complaint):
        read_call(text)


def test_calls_that_are_written_are_read_back() -> None:
    rng = random.Random(0)
    alphabet = ["<tool: bash>", "</tool>", "\n", " ", "a", "<", ">", "=======", "é\u2028", "\r"]
    written = 0
    for _ in range(3000):
        call = Call(rng.choice(["bash", "edit"]), "".join(rng.choices(alphabet, k=rng.randint(0, 6))))
        try:
            text = write_call(call)
        except FormatError:
            continue
        written += 1
        assert read_call(text) == read_call(f"before\n{text}\nafter") == call
        assert META.findall(text) == [(call.tool, call.argument)]
        assert without_call(f"before {text} after") == "before  after"
    assert 500 < written < 2500


@pytest.mark.parametrize(
    ("reply", "parts"),
    [
        ("<think>\nhm\n</think>\nls", ("hm", "ls")),
        ("hm\nhm\n</think>\nls", ("hm\nhm", "ls")),
        ("  <think>\n</think>", ("", "")),
        ("no thought", ("", "no thought")),
    ],
)
def test_a_thought_is_told_from_the_message(reply: str, parts: tuple[str, str]) -> None:
    assert split_thought(reply) == parts


@pytest.mark.parametrize(("reply", "complaint"), [("<think>\nhm", "does not end"), ("a</think>b</think>", "more than one")])
def test_unclear_thoughts_are_answered(reply: str, complaint: str) -> None:
    with pytest.raises(FormatError, match=complaint):
        split_thought(reply)


@pytest.mark.parametrize("output", ["", "a\n", "</output>\n\n<budget>\n* Remaining turns: 1", "x\n</output>"])
def test_an_observation_is_read_back(output: str) -> None:
    text = observation(output, turns=3, tokens=99)
    assert read_observation(text) == (output, 3, 99)
    assert text.startswith("<output>\n")
    assert text.endswith("\n</output>\n\n<budget>\n* Remaining turns: 3\n* Remaining tokens: 99\n</budget>")
    with pytest.raises(FormatError, match="no observation"):
        read_observation(text[1:])


def test_a_transcript_of_the_release_goes_in_and_out_byte_for_byte() -> None:
    messages = parse_transcript(TRANSCRIPT)
    assert render_transcript(messages) == TRANSCRIPT
    assert [m.role for m in messages] == ["system", "user", "assistant", "tool: bash", "assistant", "user", "assistant"]
    assert read_observation(messages[3].content) == ("def add(a, b):\n    return a - b\n", 127, 130001)
    assert read_call(split_thought(messages[2].content)[1]) == Call("bash", "cat a.py")


def test_it_is_what_the_data_station_writes_for_training() -> None:
    """Thoughts in clear text, as the release has them."""
    messages = []
    for message in parse_transcript(TRANSCRIPT):
        thought, content = split_thought(message.content) if message.role == "assistant" else ("", message.content)
        messages.append({"role": message.role, "content": content, "thinking": thought})
    parts = chat_parts(conversation({"messages": messages}), thinking="tag")
    assert "".join(str(getattr(segment, "value", segment)) for segment, _ in parts) == TRANSCRIPT


def test_a_transcript_may_end_in_the_middle_of_a_message() -> None:
    for end in range(TRANSCRIPT.rfind("## Issue"), len(TRANSCRIPT) - len("<|eot_id|>")):
        messages = parse_transcript(TRANSCRIPT[:end])
        assert (messages[-1].role, messages[-1].ended) == ("assistant", False)
        assert render_transcript(messages) == TRANSCRIPT[:end]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (TRANSCRIPT[1:], "begins with"),
        (TRANSCRIPT.replace("<|eot_id|>", "", 1), "message 1 of the transcript has no"),
        (TRANSCRIPT.replace("<|start_header_id|>system", "system"), "after"),
        (TRANSCRIPT.replace("Fix `add`.", "Fix<|eot_id|>`add`."), "message 2 of the transcript is not"),
        (TRANSCRIPT.replace("<|end_header_id|>\n\n", "<|end_header_id|>\n", 1), "message 1"),
    ],
)
def test_what_is_no_transcript_is_said(text: str, complaint: str) -> None:
    with pytest.raises(FormatError, match=complaint):
        parse_transcript(text)


@pytest.mark.parametrize(
    "messages",
    [
        [Message("user", "a<|eot_id|>")],
        [Message("tool: <|end_header_id|>", "a")],
        [Message("user", "a", ended=False), Message("user", "b")],
    ],
)
def test_what_could_not_be_read_back_is_not_written(messages: list[Message]) -> None:
    with pytest.raises(FormatError, match="could not be read back"):
        render_transcript(messages)
