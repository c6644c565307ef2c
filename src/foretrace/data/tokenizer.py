"""The small tokenizer: what a small model must copy, split and count stays apart.

A few megabytes of weights cannot memorise how a hundred thousand tokens are spelled. So digits are single
tokens, every character inside a string literal is its own token (UTF-8 bytes beyond ASCII), and only code is
merged: words that programs use often, operators with their spaces, calls such as `.append(`. A list in the
source and the same list in a frame's locals get the same tokens, so that one can be copied from the other.

    tokenizer = Tokenizer.train(sources, vocab_size=1024)
    ids = tokenizer.encode(to_segments(trace))
    assert tokenizer.decode(ids) == to_segments(trace)

How a text is split depends on the special token before it: locals after `<|call_sep|>` and `<|line_sep|>`, a
value after `<|arg_sep|>`, code everywhere else. Decoding joins bytes, and is therefore always the inverse.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from foretrace.data.pieces import CODE_PIECES
from foretrace.errors import CheckpointError
from foretrace.trace import Segment, Token

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


class Tokenizer:
    """Text to ids and back. Ids: special tokens first, then the 256 bytes, then the pieces of code."""

    def __init__(self, pieces: Sequence[str]) -> None:
        """`pieces`: the multi-character pieces of code; single characters are bytes already."""
        self.pieces = tuple(pieces)
        self._specials = list(Token)
        self._special_ids = {token: i for i, token in enumerate(self._specials)}
        self._byte_base = len(self._specials)
        base = self._byte_base + _NUM_BYTES
        self._piece_ids = {piece: base + i for i, piece in enumerate(self.pieces)}
        self._longest = max((len(p) for p in self.pieces if p.isalpha()), default=1)
        self._code = re.compile(self._code_pattern())
        self._bytes = [bytes([i]) for i in range(_NUM_BYTES)] + [p.encode() for p in self.pieces]
        self._word_cache: dict[str, list[int]] = {}

    # -- making, saving, loading ---------------------------------------------------------------------

    @classmethod
    def train(cls, sources: Iterable[str], vocab_size: int) -> "Tokenizer":
        """Fixed pieces of Python code, then the most frequent words of `sources` until `vocab_size`."""
        room = vocab_size - len(Token) - _NUM_BYTES - len(CODE_PIECES)
        counts: Counter[str] = Counter()
        for source in sources:
            counts.update(word for word in _LETTERS.findall(re.sub(_STRING, "", source)) if len(word) > 1)
        taken = set(CODE_PIECES)
        words = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if word not in taken]
        return cls([*CODE_PIECES, *words[:room]])

    def save(self, file: Path) -> None:
        """Writes `tokenizer.json`."""
        content = {"version": 1, "kind": "foretrace", "specials": [t.value for t in self._specials], "pieces": self.pieces}
        file.write_text(json.dumps(content, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> "Tokenizer":
        """Reads `tokenizer.json`, given as the file or its folder.

        Raises:
            CheckpointError: the file is missing or not a tokenizer of this kind.

        """
        if file.is_dir():
            file = file / "tokenizer.json"
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            pieces, specials = content["pieces"], content["specials"]
        except OSError as error:
            raise CheckpointError(f"cannot read the tokenizer {file}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{file} is not a foretrace tokenizer: {error}") from error
        if specials != [t.value for t in Token] or not all(isinstance(p, str) for p in pieces):
            raise CheckpointError(f"{file} was written for other special tokens; train or fetch the checkpoint again")
        return cls(pieces)

    # -- properties ----------------------------------------------------------------------------------

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return self._byte_base + _NUM_BYTES + len(self.pieces)

    def id_of(self, token: Token) -> int:
        """The id of a special token."""
        return self._special_ids[token]

    # -- encoding and decoding -----------------------------------------------------------------------

    def encode(self, segments: Iterable[Segment]) -> list[int]:
        """Ids of `segments`. Special tokens are only those given as `Token`."""
        ids: list[int] = []
        before: Token | None = None
        for segment in segments:
            if isinstance(segment, Token):
                ids.append(self._special_ids[segment])
                before = segment
            elif before in (Token.CALL_SEP, Token.LINE_SEP):
                self._encode_locals(segment, ids)
            else:
                self._encode_code(segment, ids)
        return ids

    def decode(self, ids: Sequence[int]) -> list[Segment]:
        """Segments of `ids`; bytes that are not UTF-8 become the replacement character."""
        segments: list[Segment] = []
        text = b""
        for i in ids:
            if i >= self._byte_base:
                text += self._bytes[i - self._byte_base]
                continue
            if text:
                segments.append(text.decode("utf-8", "replace"))
                text = b""
            segments.append(self._specials[i])
        if text:
            segments.append(text.decode("utf-8", "replace"))
        return segments

    def _code_pattern(self) -> str:
        """Strings first, then the pieces from the longest down, then whole words, then single characters."""
        alternatives = []
        for piece in sorted(self.pieces, key=len, reverse=True):
            left = "(?<![A-Za-z])" if piece[0].isalpha() else ""
            right = "(?![A-Za-z])" if piece[-1].isalpha() else ""
            alternatives.append(left + re.escape(piece) + right)
        joined = "|".join(alternatives)
        return rf"(?P<string>{_STRING})|(?P<comment>#[^\n]*)|(?P<piece>{joined})|(?P<word>[A-Za-z]+)|(?P<other>[\s\S])"

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
            self._piece(match["opening"], ids)
            self._encode_code(match["name"], ids)
            self._piece(match["short"] or match["colon"], ids)
            self._encode_code(match["value"] or "", ids)
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
        known = self._word_cache.get(word)
        if known is None:
            known = self._word_cache[word] = self._split_word(word)
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
