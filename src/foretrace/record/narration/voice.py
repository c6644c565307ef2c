"""How a narration sounds: the phrase among several, values cut to length, sentences set as prose or as steps.

voice = Voice(random.Random(7), DETAILS[0])
voice.pick("then", "next")
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from foretrace.record.narration.texts import shortened

Style = Literal["prose", "steps"]

ORDINALS = ["", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
_NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


@dataclass(frozen=True, slots=True)
class Detail:
    """How much is told. Long executions are told with less."""

    whole: int
    """Loops of up to so many iterations are told whole."""
    head: int
    """Of longer ones so many iterations are told before the rest is folded, and the last one."""
    calls: int
    """Calls are told from within down to this depth."""
    nesting: int
    """Loops within loops are told by iterations down to this depth."""
    value: int
    """Characters of a value."""
    shown: int
    """Members of a folded series."""


DETAILS = (
    Detail(whole=4, head=2, calls=3, nesting=2, value=100, shown=6),
    Detail(whole=3, head=1, calls=2, nesting=2, value=70, shown=5),
    Detail(whole=2, head=1, calls=1, nesting=1, value=50, shown=4),
    Detail(whole=0, head=0, calls=1, nesting=0, value=40, shown=4),
    Detail(whole=0, head=0, calls=0, nesting=0, value=30, shown=3),
)


@dataclass(slots=True)
class Sentence:
    """A sentence without its full stop."""

    text: str
    line: int = 0
    """The line that it tells of; 0 for a remark, which stands as it is."""
    indent: int = 0
    leads_to: int = 0
    """The line that runs next, where the sentence announces it."""
    paragraph: bool = False


class Voice:
    """Chooses among phrases, and writes values."""

    def __init__(self, rng: random.Random, detail: Detail) -> None:
        self._random = rng.random
        self.detail = detail

    def pick(self, *phrases: str) -> str:
        """One of the phrases."""
        return phrases[int(self._random() * len(phrases))]

    def flips(self) -> bool:
        """A coin."""
        return self._random() < 0.5

    def value(self, text: str) -> str:
        """The text of a value, within the limit."""
        return text if len(text) <= self.detail.value and "\n" not in text else shortened(text, self.detail.value)

    def enumeration(self, texts: Sequence[str]) -> str:
        """`a, b and c`; of many the first ones and their number."""
        most = self.detail.shown
        if len(texts) > most:
            rest = len(texts) - most + 1
            return f"{', '.join(texts[: most - 1])} and {rest} more"
        return ", ".join(texts[:-1]) + f" and {texts[-1]}" if len(texts) > 1 else "".join(texts)

    def series(self, texts: Sequence[str]) -> str:
        """`1, 2, 3, …, 9`."""
        most = self.detail.shown
        if len(texts) <= most:
            return ", ".join(texts)
        return f"{', '.join(texts[: most - 1])}, …, {texts[-1]}"

    def series_of_clauses(self, clauses: Sequence[str]) -> str:
        """Clauses as one."""
        return " and ".join(clauses) if len(clauses) < 3 else ", ".join(clauses[:-1]) + f", and {clauses[-1]}"


def number(count: int) -> str:
    """A small number as a word."""
    return _NUMBERS[count] if 0 < count < len(_NUMBERS) else f"{count:,}"


def times(count: int) -> str:
    """`once`, `twice`, `three times`."""
    return ("never", "once", "twice")[count] if count < 3 else f"{number(count)} times"


def ordinal(position: int) -> str:
    """`the first iteration`, `iteration 12`."""
    return f"the {ORDINALS[position]} iteration" if position < len(ORDINALS) else f"iteration {position}"


def set_as(style: Style, sentences: Sequence[Sentence], voice: Voice) -> str:
    """The whole text."""
    return _prose(sentences, voice) if style == "prose" else _steps(sentences)


def _steps(sentences: Sequence[Sentence]) -> str:
    """A sentence a line, what is within indented."""
    return "\n".join(
        f"{'  ' * s.indent}{f'Line {s.line}: ' if s.line else ''}{s.text}{'' if s.text.endswith(':') else '.'}"
        for s in sentences
    )


def _prose(sentences: Sequence[Sentence], voice: Voice) -> str:
    paragraphs: list[list[str]] = [[]]
    announced = 0
    for position, sentence in enumerate(sentences):
        text = sentence.text
        if sentence.paragraph and paragraphs[-1]:
            paragraphs.append([])
            announced = 0
        if announced and announced == sentence.line and not sentence.leads_to:
            previous = paragraphs[-1].pop()
            text = f"{previous[:-1]}: {text}"
        elif sentence.line:
            text = _lead(sentence.line, voice) + text
        following = sentences[position + 1] if position + 1 < len(sentences) else None
        goes_on = following is not None and following.line == sentence.leads_to and not following.leads_to
        announced = sentence.leads_to if goes_on else 0
        paragraphs[-1].append(text + ("" if text.endswith(":") else "."))
    return "\n\n".join(" ".join(paragraph) for paragraph in paragraphs)


def _lead(line: int, voice: Voice) -> str:
    return voice.pick(
        "On line {}, ", "Line {}: ", "Then, on line {}, ", "On line {}, ", "Next, line {}: ", "At line {}, "
    ).format(line)
