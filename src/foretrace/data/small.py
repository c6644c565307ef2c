"""The small tokenizer: what a small model must copy, split and count stays apart.

A few megabytes of weights cannot memorise how a hundred thousand tokens are spelled. So digits are single
tokens, every character inside a string literal is its own token (UTF-8 bytes beyond ASCII), and only code is
merged: words that programs use often, operators with their spaces, calls such as `.append(`. A list in the
source and the same list in a frame's locals get the same tokens, so that one can be copied from the other.

    tokenizer = SmallTokenizer.of(sources, vocab_size=1024)
    ids = tokenizer.encode(to_segments(trace))

How a text is split depends on the special token before it: locals after `<|call_sep|>` and `<|line_sep|>`,
code everywhere else. Decoding joins bytes, and is therefore always the inverse.

The file says which special tokens it has, in the order of their ids; so files from before a token was
invented stay as good as they were.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from foretrace.data.pieces import CODE_PIECES
from foretrace.data.special import SPECIALS, Special
from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import CheckpointError, UsageError
from foretrace.trace import Token

_NUM_BYTES = 256
_STRING = (
    r'"""[\s\S]*?"""|'
    r"'''[\s\S]*?'''|"
    r"'(?:[^'\\\n]|\\.)*'|"  # also inside JSON, where repr's own escapes stand doubled
    r'\\"(?:[^"\\\n]|\\[^"])*\\"|'  # a double-quoted repr inside JSON
    r'"(?:[^"\\\n]|\\.)*"'
)
_LOCAL = re.compile(
    r'(?P<opening>\{"|", "|(?<=, "))(?P<name>(?:[^"\\]|\\.)*)'
    r'(?:(?P<short>": "\.\.", "|": "\.\."\})|(?P<colon>": ")(?P<value>(?:[^"\\]|\\.)*))'
)
_LETTERS = re.compile(r"[A-Za-z]+")
_MOST_WORDS = 1 << 16
"""Words whose pieces are remembered."""


class SmallTokenizer(Tokenizer):
    """Ids: special tokens first, then the 256 bytes, then the pieces of code."""

    def __init__(self, pieces: Sequence[str], specials: Sequence[Special] = SPECIALS) -> None:
        """`pieces`: the multi-character pieces of code; single characters are bytes already."""
        self.pieces = tuple(pieces)
        spellings = [b""] * len(specials) + [bytes([i]) for i in range(_NUM_BYTES)] + [p.encode() for p in self.pieces]
        super().__init__({token: i for i, token in enumerate(specials)}, spellings)
        self._byte_base = len(specials)
        self._piece_ids = {piece: len(specials) + _NUM_BYTES + i for i, piece in enumerate(self.pieces)}
        self._longest = max((len(p) for p in self.pieces if p.isalpha()), default=1)
        self._code = re.compile(_code_pattern(self.pieces))
        self._words: dict[str, list[int]] = {}

    @classmethod
    def of(cls, sources: Iterable[str], vocab_size: int) -> "SmallTokenizer":
        """Fixed pieces of Python code, then the most frequent words of `sources` until `vocab_size`.

        Raises:
            UsageError: the fixed pieces alone are more than `vocab_size`.

        """
        room = vocab_size - len(SPECIALS) - _NUM_BYTES - len(CODE_PIECES)
        if room < 0:
            raise UsageError(f"the small tokenizer has at least {vocab_size - room} ids; {vocab_size} are too few")
        counts: Counter[str] = Counter()
        for source in sources:
            counts.update(word for word in _LETTERS.findall(re.sub(_STRING, "", source)) if len(word) > 1)
        taken = set(CODE_PIECES)
        words = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if word not in taken]
        return cls([*CODE_PIECES, *words[:room]])

    @classmethod
    def of_file(cls, content: dict[str, Any]) -> "SmallTokenizer":
        """The tokenizer of a file's content; whatever is wrong with it raises."""
        names: list[str] = content["specials"]
        known = {token.value: token for token in SPECIALS}
        strange = [name for name in names if name not in known]
        if strange or not names:
            raise CheckpointError(f"the tokenizer has special tokens that this version does not know ({strange}); update")
        if not all(isinstance(piece, str) and piece for piece in content["pieces"]):
            raise CheckpointError("a piece of the tokenizer is no text: the file is damaged; copy it again")
        return cls(content["pieces"], [known[name] for name in names])

    def serialise(self) -> bytes:
        """The content of its `tokenizer.json`."""
        specials = [token.value for token in self.specials]
        content = {"version": 1, "kind": "foretrace", "specials": specials, "pieces": self.pieces}
        return (json.dumps(content, indent=0, ensure_ascii=False) + "\n").encode()

    # -- encoding ------------------------------------------------------------------------------------

    def _encode_text(self, text: str, before: Special | None) -> list[int]:
        ids: list[int] = []
        if before in (Token.CALL_SEP, Token.LINE_SEP):
            self._encode_locals(text, ids)
        else:
            self._encode_code(text, ids)
        return ids

    def _encode_code(self, text: str, ids: list[int]) -> None:
        for match in self._code.finditer(text):
            kind, found = match.lastgroup, match.group()
            if kind == "piece":
                ids.append(self._piece_ids[found])
            elif kind == "word":
                ids.extend(self._word(found))
            elif kind == "comment" and found not in self._piece_ids:
                self._encode_comment(found, ids)
            else:
                self._encode_characters(found, ids)

    def _encode_comment(self, text: str, ids: list[int]) -> None:
        """Prose: words where they are known, else characters; an apostrophe opens no string here."""
        end = 0
        for match in _LETTERS.finditer(text):
            self._encode_characters(text[end : match.start()], ids)
            ids.extend(self._word(match.group()))
            end = match.end()
        self._encode_characters(text[end:], ids)

    def _encode_characters(self, text: str, ids: list[int]) -> None:
        base = self._byte_base
        ids.extend([base + b for b in text.encode("utf-8", "surrogatepass")])

    def _encode_locals(self, text: str, ids: list[int]) -> None:
        """The JSON object of locals: names and values as in code, what stands between them as one token."""
        end = 0
        while match := _LOCAL.match(text, end):
            opening, name, short, colon, value = match.groups()
            self._piece(opening, ids)
            ids += self._remembered(name, None)
            self._piece(short or colon, ids)
            if value:
                ids += self._remembered(value, None)
            end = match.end()
        self._piece(text[end:], ids)

    def _piece(self, text: str, ids: list[int]) -> None:
        found = self._piece_ids.get(text)
        if found is None:
            self._encode_characters(text, ids)
        else:
            ids.append(found)

    def _word(self, word: str) -> list[int]:
        """A word as its longest known beginnings, one after the other."""
        known = self._words.get(word)
        if known is None:
            if len(self._words) >= _MOST_WORDS:
                self._words = {}
            known = self._words[word] = self._split_word(word)
        return known

    def _split_word(self, word: str) -> list[int]:
        ids: list[int] = []
        start = 0
        while start < len(word):
            for end in range(min(len(word), start + self._longest), start + 1, -1):
                piece = self._piece_ids.get(word[start:end])
                if piece is not None:
                    ids.append(piece)
                    start = end
                    break
            else:
                ids.append(self._byte_base + ord(word[start]))
                start += 1
        return ids


def _code_pattern(pieces: Sequence[str]) -> str:
    """Strings first, then the longest piece that fits, then whole words, then single characters.

    A piece that is a word is found by looking the word up. The others are one pattern that shares their beginnings: a
    tenth of the time that a list of alternatives takes.
    """
    joined = {piece for piece in pieces if not _LETTERS.fullmatch(piece)}
    wordlike = {piece for piece in joined if _LETTERS.match(piece)}
    alternatives = [_shared(joined - wordlike)] if joined - wordlike else []
    alternatives += ["(?<![A-Za-z])" + _shared(wordlike)] if wordlike else []
    found = f"(?P<piece>{'|'.join(alternatives)})|" if alternatives else ""
    return rf"(?P<string>{_STRING})|(?P<comment>#[^\n]*)|{found}(?P<word>[A-Za-z]+)|(?P<other>[\s\S])"


def _shared(texts: Iterable[str], last: str = "") -> str:
    """A pattern for the longest of `texts`; what ends in a letter is not found within a word. `last` is before them."""
    following: dict[str, list[str]] = {}
    for text in sorted(texts):
        if text:
            following.setdefault(text[0], []).append(text[1:])
    alternatives = [re.escape(first) + _shared(rest, first) for first, rest in following.items()]
    if "" in texts:
        alternatives.append("(?![A-Za-z])" if _LETTERS.match(last) else "")
    return alternatives[0] if len(alternatives) == 1 else f"(?:{'|'.join(alternatives)})"
