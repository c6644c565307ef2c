"""Rollouts that solved their task, as something to fine-tune on: rejection sampling, the way CWM's SFT gets its own answers.

    for document in solved_documents(read_groups(file), tokenizer, most=1): …     # {"messages": …}, or a Trace

CWM goes round: reinforcement learning, its solved rollouts into SFT from the mid-training checkpoint, reinforcement learning
again. What is written here `foretrace data pack` takes.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from foretrace.data.chat import Message, Role, parse_turn
from foretrace.data.special import ChatToken
from foretrace.data.tokenizer import Tokenizer
from foretrace.engine import build_prompt
from foretrace.engine.steps import finish_at_end, trace_of
from foretrace.errors import FormatError
from foretrace.rl.environments.output import NAME as OUTPUT
from foretrace.rl.types import Group, Rollout
from foretrace.trace import FrameParser, Segment, Token, Trace, frame_segments

Document = dict[str, Any] | Trace
"""A chat, or what the policy told of a call."""


def solved_documents(
    groups: Iterable[Group], tokenizer: Tokenizer, *, most: int = 1, all_of: bool = False
) -> Iterator[Document]:
    """Chats and traces.

    Args:
        groups: of a run.
        tokenizer: of the policy.
        most: of a task, those that come first; texts that are there already do not count.
        all_of: also what did not solve its task.

    """
    kept: Counter[str] = Counter()
    seen: set[bytes] = set()
    for group in groups:
        for rollout in group.rollouts:
            key, text = f"{group.task.environment}/{group.task.id}", rollout.tokens.tobytes()
            if not (rollout.outcome.get("right") or all_of) or kept[key] >= most or text in seen:
                continue
            seen.add(text)
            document = _document(rollout, tokenizer)
            if document is not None:
                kept[key] += 1
                yield document


def _document(rollout: Rollout, tokenizer: Tokenizer) -> Document | None:
    """None: what the policy wrote cannot be read, which only happens to what is wrong."""
    try:
        if rollout.task.environment == OUTPUT:
            return _trace(rollout, tokenizer)
        messages = messages_of(tokenizer.decode(rollout.tokens.tolist()))
    except FormatError:
        return None
    subject = f"{rollout.task.environment}/{rollout.task.id}"
    return {"subject": subject, "messages": [_to_json(message) for message in messages]}


def messages_of(segments: Sequence[Segment]) -> list[Message]:
    """The messages of a chat in tokens.

    Raises:
        FormatError: it is none.

    """
    if not segments or segments[0] is not Token.BEGIN_OF_TEXT:
        raise FormatError("a chat begins with the beginning of a text")
    messages: list[Message] = []
    rest = list(segments[1:])
    while rest:
        if len(rest) < 4 or rest[0] is not ChatToken.START_HEADER or rest[2] is not ChatToken.END_HEADER:
            raise FormatError("a message begins with its role")
        end = rest.index(ChatToken.END_OF_TURN) if ChatToken.END_OF_TURN in rest else len(rest) - 1
        messages.append(_message(str(rest[1]), rest[3 : end + 1]))
        rest = rest[end + 1 :]
    return messages


def _message(header: str, body: Sequence[Segment]) -> Message:
    role, _, tool = header.partition(": ")
    if role == "assistant":
        first, *others = body
        turn = parse_turn([str(first).removeprefix("\n\n"), *others])
        return Message("assistant", turn.content, thinking=turn.thinking)
    roles: dict[str, Role] = {"system": "system", "user": "user", "tool": "tool"}
    if role not in roles:
        raise FormatError(f"there is no role {role!r}")
    text = "".join(segment for segment in body if isinstance(segment, str) and not isinstance(segment, ChatToken))
    return Message(roles[role], text.removeprefix("\n\n"), tool=tool)


def _to_json(message: Message) -> dict[str, Any]:
    told = {"role": message.role, "content": message.content, "name": message.tool, "thinking": message.thinking}
    return {name: value for name, value in told.items() if value or name in ("role", "content")}


def _trace(rollout: Rollout, tokenizer: Tokenizer) -> Trace:
    """What the policy wrote, as a trace; the value at its end is right, its way there may not be."""
    data = rollout.task.data
    prompt = build_prompt(data["source"], data["entry"], data["arguments"])
    parser = FrameParser(prompt.call.source, prompt.call.line)
    for frame in frame_segments(prompt.frames):
        parser.feed(frame)
    pending: list[Segment] = []
    for segment in tokenizer.decode(rollout.tokens[rollout.actions].tolist()):
        if segment is Token.END_OF_TEXT:
            break
        pending.append(segment)
        if segment is Token.FRAME_SEP:
            parser.feed(pending)
            pending = []
    finish = finish_at_end(parser, is_within=bool(pending))
    return trace_of(prompt, parser.finish(not finish.detail), finish, "policy")
