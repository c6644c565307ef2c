r"""Tokens become text as they come: no half characters, nothing of a stop string, special tokens by their names.

writer = TextWriter(tokenizer, stops=["\n\n"])
for token in tokens:
if writer.add(token):       # a stop string is complete
break
print(writer.take(), end="")
writer.finish()
"""

import codecs
from collections.abc import Collection, Sequence

from foretrace.data.tokenizer import Tokenizer


class TextWriter:
    """The text of one sequence, so far as it is certain."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        stops: Sequence[str] = (),
        silent: Collection[int] = (),
        skip_special: bool = False,
        include_stop: bool = False,
    ) -> None:
        """What is left out.

        Args:
            tokenizer: of the tokens.
            stops: texts at whose first occurrence the text ends.
            silent: tokens without text: those at which a sequence ends.
            skip_special: whether special tokens have no text.
            include_stop: whether the text ends after the stop string instead of before it, and `silent` tokens have text.

        """
        self.stopped: str | None = None
        """The stop string that was found."""
        self._tokenizer, self._stops, self._include = tokenizer, stops, include_stop
        self._silent = () if include_stop else silent
        self._names = {} if skip_special else {i: token.value for token, i in tokenizer.specials.items()}
        self._specials = frozenset(tokenizer.specials.values())
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        """What could be the beginning of a stop string."""
        self._ready: list[str] = []

    def add(self, token: int) -> bool:
        """Takes the next token; whether the text ends with it. What comes after that has no text."""
        if self.stopped is None and token not in self._silent:
            if token in self._specials:
                self._append(self._decoder.decode(b"", final=True) + self._names.get(token, ""))
            else:
                self._append(self._decoder.decode(self._tokenizer.spelling(token)))
        return self.stopped is not None

    def take(self) -> str:
        """What is certain since the last call."""
        text, self._ready = "".join(self._ready), []
        return text

    def finish(self) -> None:
        """Nothing more comes: what was held back is certain now."""
        if self.stopped is None:
            self._append(self._decoder.decode(b"", final=True))
            self._ready.append(self._held)
            self._held = ""

    def _append(self, text: str) -> None:
        held = self._held + text
        found = [(at, stop) for stop in self._stops if (at := held.find(stop)) >= 0]
        if found:
            at, self.stopped = min(found, key=lambda each: (each[0] + len(each[1]), each[0]))
            self._ready.append(held[: at + len(self.stopped)] if self._include else held[:at])
            self._held = ""
            return
        keep = self._doubtful(held)
        self._ready.append(held[: len(held) - keep])
        self._held = held[len(held) - keep :]

    def _doubtful(self, text: str) -> int:
        """Characters at the end of a text that may begin a stop string."""
        most = min(len(text), max(map(len, self._stops), default=1) - 1)
        return next((n for n in range(most, 0, -1) if any(stop.startswith(text[-n:]) for stop in self._stops)), 0)


def shown_token(tokenizer: Tokenizer, token: int, *, as_id: bool) -> str:
    r"""What an answer calls one token: `token_id:17`, or its text, or `bytes:\xe2` if it is a part of a character."""
    if as_id:
        return f"token_id:{token}"
    special = next((each.value for each, i in tokenizer.specials.items() if i == token), None)
    if special is not None:
        return special
    spelling = tokenizer.spelling(token)
    try:
        return spelling.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in spelling)
