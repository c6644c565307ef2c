"""Drafts of a trace: the tokens that are likely to be written next, for an engine to verify in one pass.

Most of a trace is known before it is written: the names of the locals, that most of them are unchanged, the line that runs
next. `guesses.py` foresees frames; here a foreseen frame is laid over what is already written of the real one. Where that
says nothing, within a value, what followed the last tokens before is likely to follow them again (as in "Inference with
Reference", arXiv:2304.04487).

    drafter = TraceDrafter(engine.tokenizer, prompt)
    drafter.propose(12)      # tokens, as many as are likely enough
    drafter.advance(token)   # the one that was chosen
"""

import json
import re
from collections.abc import Mapping, Sequence

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.follower import HAS_VALUE, FrameFollower
from foretrace.engine.guesses import UNKNOWN, FrameGuesser, Guess, Text
from foretrace.engine.types import Prompt
from foretrace.trace import EVENT_TOKENS, Event, Segment, Token

_ENTRY = re.compile(r'(?:\{|, )"((?:[^"\\]|\\.)*)": "((?:[^"\\]|\\.)*)"')
"""One complete entry of the locals."""
_OPEN_VALUE = re.compile(r'(?:\{|, )"((?:[^"\\]|\\.)*)": "((?:[^"\\]|\\.)*)$')
"""An entry whose value is being written."""

_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|\\"(?:[^"\\]|\\[^"])*\\\"""")
"""A string within a repr, as JSON has it."""
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_WORDS = ("..", "True", "False", "None")
_ENDS = ("_", ")", "]", "}", ">")


class TraceDrafter:
    """Follows one sequence token by token, and foresees how it goes on."""

    def __init__(self, tokenizer: Tokenizer, prompt: Prompt, python: str = "") -> None:
        """`python`: version whose executions the model has learnt, such as `3.12.1`; see `LinePlacer`."""
        self._tokenizer = tokenizer
        self._follower = FrameFollower(tokenizer, prompt, python)
        self._guesser = FrameGuesser(prompt.call.source)
        for frame in self._follower.parser.frames:
            self._guesser.learn(frame)
        self._guess: Guess | None = None
        """Of the frame that is being written."""
        self._locals: Mapping[str, Text] = {}
        self._recall = Recall(tokenizer.encode(prompt.segments))

    def advance(self, token: int) -> None:
        """Takes the token that was chosen."""
        self._recall.add(token)
        frame = self._follower.advance(token)
        if frame is not None:
            self._guesser.learn(frame)
            self._guess = None

    def propose(self, limit: int) -> Sequence[int]:
        """At most `limit` tokens that are likely to come next."""
        drafted = self._foreseen() if not self._follower.lost else ()
        return drafted[:limit] if drafted else self._recall.continuation(limit)

    def _foreseen(self) -> Sequence[int]:
        """The rest of the frame, up to where nothing is known."""
        segments = self._rest()
        written = self._follower.text
        if not written or not segments or isinstance(segments[0], Token):
            return self._tokenizer.encode([self._follower.since, *segments])[1:]
        text = self._text() + segments[0]
        ids = self._tokenizer.encode([self._follower.since, text])[1:]
        if ids[: len(written)] != written:
            return ()  # written with other tokens than the text has
        return ids[len(written) :] + self._tokenizer.encode(segments[1:])

    def _rest(self) -> list[Segment]:
        follower = self._follower
        if follower.since is Token.FRAME_SEP:
            guess = self._foresee(self._guesser.guess())
            return [EVENT_TOKENS[guess.event], *self._after_event(guess, "")] if guess.event else [Token.END_OF_TEXT]
        if follower.event is None:
            return []
        guess = self._guess or self._foresee(self._guesser.guess())
        if guess.event is not follower.event:
            guess = self._foresee(self._guesser.given(follower.event))
        if follower.since is Token.ACTION_SEP:
            return self._after_action(guess, self._text())
        if follower.since is Token.ARG_SEP:
            return self._after_argument(guess, self._text())
        return self._after_event(guess, self._text())

    def _foresee(self, guess: Guess) -> Guess:
        self._guess = guess
        self._locals = self._guesser.locals_of(guess) if guess.event in (Event.CALL, Event.LINE) else {}
        return guess

    def _after_event(self, guess: Guess, text: str) -> list[Segment]:
        if guess.event not in (Event.CALL, Event.LINE):
            return [Token.ACTION_SEP, *self._after_action(guess, "")]
        rest, ends = rest_of_locals(text, self._locals, self._guesser.before)
        if ends:
            return [rest, Token.ACTION_SEP, *self._after_action(guess, "")]
        return [rest] if rest else []

    def _after_action(self, guess: Guess, text: str) -> list[Segment]:
        line = self._line(guess, text)
        if line is None:
            return []
        has_value = guess.event is not None and EVENT_TOKENS[guess.event] in HAS_VALUE
        after: list[Segment] = [Token.ARG_SEP, *self._after_argument(guess, "")] if has_value else [Token.FRAME_SEP]
        return [line[len(text) :], *after] if line != text else after

    def _after_argument(self, guess: Guess, text: str) -> list[Segment]:
        rest, ends = rest_of_value(text[1:], self._guesser.value_of(guess))
        rest = rest if text else '"' + rest
        return [*([rest] if rest else []), *([Token.FRAME_SEP] if ends else [])]

    def _line(self, guess: Guess, text: str) -> str | None:
        """The source line that begins with `text`."""
        line = guess.line
        if guess.if_unchanged is not None:
            name, other = guess.if_unchanged
            shown = self._tokenizer.decode(self._follower.written[1:])[:1]
            if shown and f'"{name}": ".."' in shown[0]:
                line = other
        if line is not None and f"{line}\n".startswith(text):
            return line + "\n"
        possible = sorted(self._follower.parser.following(guess.event)) if guess.event and text else []
        return next((line + "\n" for line in possible if f"{line}\n".startswith(text)), None)

    def _text(self) -> str:
        """What is written since the last special token."""
        return "".join(map(str, self._tokenizer.decode(self._follower.text)))


def rest_of_locals(text: str, expected: Mapping[str, Text], before: Mapping[str, str]) -> tuple[str, bool]:
    """What follows `text`, the beginning of a JSON object of locals; and whether the object is complete then.

    Args:
        text: as it is written so far.
        expected: names and what is foreseen of their values.
        before: the values that the names had.

    """
    at, names = 0, list(expected)
    while entry := _ENTRY.match(text, at):
        at = entry.end()
        names = names[names.index(entry[1]) + 1 :] if entry[1] in names else names
    tail = text[at:]
    if value := _OPEN_VALUE.fullmatch(tail):
        names = names[names.index(value[1]) + 1 :] if value[1] in names else names
        rest, ends = rest_of_value(value[2], expected.get(value[1], UNKNOWN), before.get(value[1]))
        if not ends:
            return rest, False
        more, ends = _entries(names, expected, is_first=False)
        return rest + more, ends
    for skipped in range(len(names) + 1):
        more, ends = _entries(names[skipped:], expected, is_first=at == 0)
        if more.startswith(tail):
            return more[len(tail) :], ends
    return "", False


def rest_of_value(text: str, expected: Text, before: str | None = None) -> tuple[str, bool]:
    """What follows `text`, the beginning of a JSON string without its quote; and whether the string is complete then."""
    foreseen = json.dumps(expected.start, ensure_ascii=False)[1:]
    if expected.whole and foreseen.startswith(text):
        return foreseen[len(text) :], True
    if not expected.whole and foreseen[:-1].startswith(text) and foreseen[:-1] != text:
        return foreseen[len(text) : -1], False
    return ('"', True) if _looks_whole(text, before) else ("", False)


def _entries(names: Sequence[str], expected: Mapping[str, Text], is_first: bool) -> tuple[str, bool]:
    """Entries of a JSON object until the first value of which not all is known, or its end."""
    text = ""
    for name in names:
        text += f'{"{" if is_first else ", "}{json.dumps(name, ensure_ascii=False)}: "'
        is_first = False
        rest, ends = rest_of_value("", expected[name])
        text += rest
        if not ends:
            return text, False
    return text + ("{}" if is_first else "}"), True


def _looks_whole(text: str, before: str | None) -> bool:
    """Whether a repr, as JSON has it, is probably all there: nothing is open, and a number has as many digits as before."""
    if _NUMBER.fullmatch(text):
        return before is None or len(text) >= len(before)
    bare = _QUOTED.sub("_", text)
    is_closed = all(bare.count(opening) == bare.count(closing) for opening, closing in ("()", "[]", "{}", "<>"))
    return text in _WORDS or (is_closed and bare[-1:] in _ENDS and "'" not in bare and '"' not in bare)


class Recall:
    """What followed the last tokens when they occurred before, the most recent time."""

    lengths = (8, 4, 2)
    """Tokens that must have occurred in this order; the longer, the better."""

    def __init__(self, ids: Sequence[int]) -> None:
        self._ids: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}
        for token in ids:
            self.add(token)

    def add(self, token: int) -> None:
        """Takes the next token."""
        at = len(self._ids)
        for length in self.lengths:
            if at >= length:
                self._after[tuple(self._ids[at - length :])] = at
        self._ids.append(token)

    def continuation(self, limit: int) -> Sequence[int]:
        """At most `limit` tokens, and no more than agreed before them."""
        for length in self.lengths:
            at = self._after.get(tuple(self._ids[-length:]))
            if at is not None:
                return self._ids[at : at + min(length, limit)]
        return ()
