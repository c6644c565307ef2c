"""Chats: what is learnt of a known conversation, token by token; injection; a turn read back; JSON and its mistakes."""

import json
from pathlib import Path

import numpy as np
import pytest

from foretrace.data.chat import Message, ToolCall, Turn, chat_parts, chat_prompt, parse_turn, tool_call
from foretrace.data.conversations import parse_conversation, read_conversations
from foretrace.data.kinds import Kind
from foretrace.data.render import document, render_chat
from foretrace.data.special import SPECIALS, ChatToken, Special
from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import FormatError, UsageError
from foretrace.trace import Segment, Token

TOKENIZER = Tokenizer.train([], 800)
CHAT = [
    Message("system", "Be brief.\n"),
    Message("user", "Files?"),
    Message("assistant", "Hm.\n<tool: bash>\nls\n</tool>", thinking="A shell."),
    Message("tool", "a.txt\n", tool="bash"),
    Message("assistant", "One."),
]


def header(role: str) -> list[tuple[str, Kind]]:
    return [
        ("<|start_header_id|>", Kind.PROMPT),
        *text(role, Kind.PROMPT),
        ("<|end_header_id|>", Kind.PROMPT),
        ("\n\n", Kind.PROMPT),
    ]


def text(text: str, kind: Kind) -> list[tuple[str, Kind]]:
    return [("".join(TOKENIZER.decode([i])), kind) for i in TOKENIZER.encode([text])]


def token(token: Special, kind: Kind) -> list[tuple[str, Kind]]:
    return [(token.value, kind)]


def shown(messages: list[Message], **options: object) -> list[tuple[str, Kind]]:
    found = render_chat(TOKENIZER, messages, **options)  # type: ignore[arg-type]
    assert found is not None
    tokens = ["".join(TOKENIZER.decode([i])) for i in found.tokens.tolist()]
    return list(zip(tokens, map(Kind, found.kinds.tolist()), strict=True))


OPENING = [
    *token(Token.BEGIN_OF_TEXT, Kind.PROMPT),
    *header("system"),
    *text("Be brief.", Kind.PROMPT),
    *token(ChatToken.END_OF_TURN, Kind.PROMPT),
    *header("user"),
    *text("Files?", Kind.PROMPT),
    *token(ChatToken.END_OF_TURN, Kind.PROMPT),
    *header("assistant"),
]
LAST = [*header("assistant"), *text("One.", Kind.ACTION), *token(ChatToken.END_OF_TURN, Kind.ACTION)]


def answer(kind: Kind) -> list[tuple[str, Kind]]:
    return [*header("tool: bash"), *text("a.txt\n", kind), *token(ChatToken.END_OF_TURN, kind)]


def test_every_token_of_a_chat_and_whether_it_is_learnt() -> None:
    assert shown(CHAT) == [
        *OPENING,
        *token(ChatToken.THINKING_START, Kind.PROMPT),
        *text("A shell.", Kind.ACTION),
        *token(ChatToken.THINKING_END, Kind.ACTION),
        *text("Hm.\n<tool: bash>\nls\n</tool>", Kind.ACTION),
        *token(ChatToken.END_OF_TURN, Kind.ACTION),
        *answer(Kind.OBSERVATION),
        *LAST,
    ]


def test_thoughts_in_clear_text_and_observations_that_are_given() -> None:
    assert shown(CHAT, thinking="tag", observations=False) == [
        *OPENING,
        *text("<think>\n", Kind.PROMPT),
        *text("A shell.\n</think>\nHm.\n<tool: bash>\nls\n</tool>", Kind.ACTION),
        *token(ChatToken.END_OF_TURN, Kind.ACTION),
        *answer(Kind.PROMPT),
        *LAST,
    ]


@pytest.mark.parametrize("special", SPECIALS)
def test_no_text_becomes_a_special_token(special: Special) -> None:
    literal = special.value
    plain = [segment for segment, _ in chat_parts(CHAT)]
    hostile = [Message(m.role, literal + m.content, m.tool, m.thinking and literal + m.thinking) for m in CHAT]
    parts = chat_parts(hostile)
    ids = TOKENIZER.encode(segment for segment, _ in parts)
    special_ids = set(TOKENIZER.specials.values())
    assert [i for i in ids if i in special_ids] == [i for i in TOKENIZER.encode(plain) if i in special_ids]
    assert "".join(TOKENIZER.decode(ids)) == "".join(segment for segment, _ in parts)


def test_a_prompt_is_what_is_learnt_from() -> None:
    """A prompt for the last turn is the document up to it, whatever the style; and so is one that makes the model think."""
    for thinking in ("token", "tag"):
        parts = chat_parts(CHAT, thinking=thinking)
        segments = [segment for segment, _ in parts]
        prompt = chat_prompt(CHAT[:4], thinking=thinking)
        assert segments[: len(prompt)] == prompt
        assert segments[len(prompt) :] == ["One.", ChatToken.END_OF_TURN]
        thinks = chat_prompt(CHAT[:2], thinking=thinking, think=True)
        assert segments[: len(thinks)] == thinks
        assert {kind for _, kind in parts[: len(thinks)]} == {Kind.PROMPT}
        assert parts[len(thinks)][1] is Kind.ACTION


def test_a_chat_is_cut_after_a_whole_message() -> None:
    parts = chat_parts(CHAT)
    whole = document(TOKENIZER, parts)
    assert whole is not None
    end = TOKENIZER.id_of(ChatToken.END_OF_TURN)
    ends = (np.flatnonzero(whole.tokens == end) + 1).tolist()
    for size in (len(whole), len(whole) - 1, ends[3], ends[3] - 1, ends[2]):
        found = render_chat(TOKENIZER, CHAT, size)
        assert found is not None
        assert len(found) == max(at for at in ends if at <= size)
        assert (found.tokens == whole.tokens[: len(found)]).all()
        assert (found.kinds == whole.kinds[: len(found)]).all()
    assert render_chat(TOKENIZER, CHAT, ends[1]) is None  # only the question: nothing to learn
    assert render_chat(TOKENIZER, CHAT, 5) is None


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (Message("bot", "hi"), "no role 'bot'"),  # type: ignore[arg-type]
        (Message("tool", "hi"), "says which tool"),
        (Message("tool", "hi", tool="a>b"), "says which tool"),
        (Message("user", "hi", tool="bash"), "says which tool"),
        (Message("user", "hi", thinking="hm"), "only an assistant thinks"),
        (Message("assistant", " \n"), "empty"),
    ],
)
def test_a_message_that_cannot_be_written_is_named(message: Message, complaint: str) -> None:
    with pytest.raises(FormatError, match=f"message 2: .*{complaint}"):
        chat_parts([Message("user", "hi"), message])


def test_a_thought_in_clear_text_cannot_hold_its_end() -> None:
    with pytest.raises(FormatError, match="</think>"):
        chat_parts([Message("assistant", "a", thinking="so </think> be it")], thinking="tag")
    assert chat_parts([Message("assistant", "a", thinking="so </think> be it")])


def test_a_tokenizer_without_chats_is_a_clear_error() -> None:
    from foretrace.engine.load import packaged_checkpoints

    with pytest.raises(UsageError, match="start_header_id"):
        render_chat(Tokenizer.load(packaged_checkpoints()["tiny"]), CHAT)


# ---------------------------------------------------------------------------------------------------
# Reading a turn

START, END, EOT = ChatToken.THINKING_START, ChatToken.THINKING_END, ChatToken.END_OF_TURN


@pytest.mark.parametrize("thinking", ["token", "tag"])
@pytest.mark.parametrize("opened", [True, False])
def test_a_turn_is_read_as_it_was_written(thinking: str, opened: bool) -> None:
    segments = [segment for segment, _ in chat_parts(CHAT[2:3], thinking=thinking)][5:]  # type: ignore[arg-type]
    turn = parse_turn(TOKENIZER.decode(TOKENIZER.encode(segments[1:] if opened else segments)))
    assert turn == Turn("Hm.\n<tool: bash>\nls\n</tool>", "A shell.", (ToolCall("bash", "ls"),))


@pytest.mark.parametrize(
    ("answer", "turn"),
    [
        (["Hi.", EOT], Turn("Hi.")),
        ("Hi.", Turn("Hi.", ended=False)),
        ([EOT], Turn("")),
        ([], Turn("", ended=False)),
        (["why", END, "Hi.", EOT], Turn("Hi.", "why")),
        ("why\n</think>\nHi.", Turn("Hi.", "why", ended=False)),
        ([START, "a <think> b </think> c", END, "Hi </think>.", EOT], Turn("Hi </think>.", "a <think> b </think> c")),
        ("It says <|eot_id|>.", Turn("It says <|eot_id|>.", ended=False)),
        (
            "<tool: a>\n1\n</tool>\nand\n<tool: b-2 x>\n\n2\n\n</tool>",
            Turn("<tool: a>\n1\n</tool>\nand\n<tool: b-2 x>\n\n2\n\n</tool>", "", (ToolCall("a", "1"), ToolCall("b-2 x", "\n2\n")), False),
        ),
    ],
)  # fmt: skip
def test_turns(answer: list[Segment] | str, turn: Turn) -> None:
    assert parse_turn(answer) == turn


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ("<think>\nwhy", "not ended by one </think>"),
        ("why </think> Hi </think>", "not ended by one </think>"),
        ([START, "why", EOT], "a thought before it"),
        (["Hi", START, "why", END], "a thought before it"),
        ([END, "a", END], "a thought before it"),
        (["Hi", ChatToken.START_HEADER, "user"], "start_header_id"),
        (["Hi", Token.FRAME_SEP], "frame_sep"),
        ("<tool: bash>\nls", "not whole"),
        ("<tool: bash>ls</tool>", "not whole"),
        ("ls\n</tool>", "not whole"),
        ("<tool: bash>\n<tool: bash>\nls\n</tool>\n</tool>", "not whole"),
    ],
)
def test_turns_with_a_mistake(answer: list[Segment] | str, complaint: str) -> None:
    with pytest.raises(FormatError, match=complaint):
        parse_turn(answer)


@pytest.mark.parametrize(
    ("name", "content"), [("bash", "echo '\n</tool>'"), ("", "ls"), ("a\nb", "ls"), ("a>", "ls"), ("a ", "ls")]
)
def test_a_call_that_could_not_be_read_back_is_refused(name: str, content: str) -> None:
    with pytest.raises(FormatError, match="no call of a tool"):
        tool_call(name, content)


# ---------------------------------------------------------------------------------------------------
# JSON


def test_the_common_forms_of_a_chat() -> None:
    line = json.dumps({
        "subject": "a program",
        "messages": [
            {"role": "system", "content": "Be brief.\n"},
            {"role": "user", "content": "Files?", "name": None},
            {"role": "assistant", "content": "Hm.", "reasoning_content": "A shell.", "tool_calls": [{"name": "bash", "content": "ls"}]},
            {"role": "tool", "name": "bash", "content": "a.txt\n"},
            {"role": "assistant", "content": None, "thinking": None, "tool_calls": [{"type": "function", "function": {"name": "py", "arguments": "{}"}}]},
            {"role": "tool: py", "content": "1", "tool_calls": None},
        ],
    })  # fmt: skip
    assert parse_conversation(line) == (
        *CHAT[:4],
        Message("assistant", "<tool: py>\n{}\n</tool>"),
        Message("tool", "1", tool="py"),
    )


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "it is a list, wanted an object"),
        ("{}", 'a list "messages"'),
        ('{"messages": []}', 'a list "messages"'),
        ('{"messages": [3]}', "message 1: it is no object"),
        ('{"messages": [{"content": "a"}]}', "message 1: there is no role ''"),
        ('{"messages": [{"role": "user", "content": "a"}, {"role": "robot", "content": "a"}]}', "message 2: there is no role 'robot'"),
        ('{"messages": [{"role": "user", "content": [1]}]}', "its 'content' is a list, wanted a text"),
        ('{"messages": [{"role": "assistant", "tool_calls": [{"name": "a"}]}]}', "a call of a tool has"),
        ('{"messages": [{"role": "assistant", "tool_calls": ["a"]}]}', "a call of a tool has"),
        ('{"messages": [{"role": "assistant", "tool_calls": 3}]}', "by a list of 'tool_calls'"),
        ('{"messages": [{"role": "user", "tool_calls": [{"name": "a", "content": "b"}]}]}', "only an assistant calls tools"),
    ],
)  # fmt: skip
def test_mistakes_in_json_are_named(line: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=complaint):
        parse_conversation(line)
    file = tmp_path / "chats.jsonl"
    good = '{"messages": [{"role": "user", "content": "a"}]}'
    file.write_text(f"{good}\n\n{line}\n{good}\n")
    read = read_conversations(file)
    assert next(read) == (Message("user", "a"),)
    with pytest.raises(FormatError, match=f"chats.jsonl, line 3: .*{complaint}"):
        next(read)


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        next(read_conversations(tmp_path / "none.jsonl"))
