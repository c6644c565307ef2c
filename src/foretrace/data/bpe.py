"""Byte-pair encoding over bytes, as Llama 3 and CWM have it, by Hugging Face's `tokenizers`.

    tokenizer = Tokenizer.load(Path("cwm"))                 # tokenizer.json, or Meta's tokenizer.model: 128,256 ids
    tokenizer = BytePairTokenizer.of(texts, 8192)           # our own, of any size
    tokenizer.save(Path("mine/tokenizer.json"))             # transformers reads it

`tokenizers` looks for special tokens in every text that it encodes: a user who writes `<|eot_id|>` would end the turn.
So texts are encoded by a copy that knows no special token at all, and their ids are added here.
"""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foretrace.data.chat_template import CHAT_TEMPLATE
from foretrace.data.ranks import merges, reserved_names
from foretrace.data.special import SPECIALS, Special
from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import CheckpointError, FormatError, UsageError
from foretrace.trace import Token

if TYPE_CHECKING:
    import tokenizers

_NUM_BYTES = 256
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
    r"\p{N}{DIGITS}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Llama 3 splits a text before it joins bytes: nothing is joined across two of these."""
_LLAMA_DIGITS, _OWN_DIGITS = "{1,3}", ""
"""CWM joins up to three digits. A vocabulary of ours joins none: a small model copies and counts digit by digit."""


class BytePairTokenizer(Tokenizer):
    """Ids: joined bytes first, then special tokens."""

    def __init__(self, text: str) -> None:
        """`text`: the content of a `tokenizer.json`; whatever is wrong with it raises.

        Raises:
            CheckpointError: it is a tokenizer of another sort.
            UsageError: `tokenizers` is not installed.

        """
        content = json.loads(text)
        _check(content)
        added = {str(token["content"]): int(token["id"]) for token in content["added_tokens"]}
        spelt = {i: token.encode() for token, i in added.items()}
        spelt |= {i: _to_bytes(token) for token, i in content["model"]["vocab"].items() if i not in spelt}
        specials: dict[Special, int] = {token: added[token.value] for token in SPECIALS if token.value in added}
        super().__init__(specials, [spelt.get(i, b"") for i in range(max(spelt) + 1)])
        self._text = text
        plain = json.dumps(content | {"added_tokens": [], "post_processor": None})
        self._plain = _library().Tokenizer.from_str(plain)

    @classmethod
    def of(cls, texts: Iterable[str], vocab_size: int) -> "BytePairTokenizer":
        """The joins that are most frequent in `texts`, until there are `vocab_size` ids.

        Raises:
            UsageError: the single bytes and special tokens alone are more, or `tokenizers` is not installed.

        """
        library = _library()
        least = _NUM_BYTES + len(SPECIALS)
        if vocab_size < least:
            raise UsageError(f"a byte-pair tokenizer has at least {least} ids; {vocab_size} are too few")
        made = _untrained(library.models.BPE(ignore_merges=True), _OWN_DIGITS)
        trainer = library.trainers.BpeTrainer(
            vocab_size=vocab_size - len(SPECIALS),
            initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        made.train_from_iterator(texts, trainer)
        return cls._with_specials(made, [token.value for token in SPECIALS])

    @classmethod
    def of_ranks(cls, ranks: dict[bytes, int]) -> "BytePairTokenizer":
        """CWM's tokenizer from Meta's file: 256 special ids stand after the last rank."""
        vocab = {_to_text(token): rank for token, rank in ranks.items()}
        pairs = [(_to_text(left), _to_text(right)) for left, right in merges(ranks)]
        model = _library().models.BPE(vocab, pairs, ignore_merges=True)
        return cls._with_specials(_untrained(model, _LLAMA_DIGITS), reserved_names())

    @classmethod
    def _with_specials(cls, made: "tokenizers.Tokenizer", names: list[str]) -> "BytePairTokenizer":
        library = _library()
        made.add_special_tokens([library.AddedToken(name, special=True, normalized=False) for name in names])
        begin = Token.BEGIN_OF_TEXT.value
        made.post_processor = library.processors.TemplateProcessing(
            single=f"{begin} $A", pair=f"{begin} $A {begin} $B", special_tokens=[(begin, made.token_to_id(begin))]
        )
        return cls(made.to_str())

    def serialise(self) -> bytes:
        """The content of its `tokenizer.json`."""
        return self._text.encode()

    def save(self, file: Path) -> None:
        """Writes `tokenizer.json`, and beside it what else `transformers` wants to know, the form of chats too."""
        super().save(file)
        ends = {"bos_token": Token.BEGIN_OF_TEXT, "eos_token": Token.END_OF_TEXT}
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            **{name: token.value for name, token in ends.items() if token in self.specials},
            "clean_up_tokenization_spaces": False,
            "chat_template": CHAT_TEMPLATE,
        }
        beside = file.with_name("tokenizer_config.json")
        beside.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")

    def _encode_text(self, text: str, before: Special | None) -> list[int]:
        try:
            ids: list[int] = self._plain.encode_batch_fast([text], add_special_tokens=False)[0].ids  # without offsets
        except TypeError as error:  # what the library says of a text that it cannot turn into UTF-8
            raise FormatError("a text holds a lone surrogate, which is no character: UTF-8 cannot write it") from error
        return ids


def _untrained(model: "tokenizers.models.BPE", digits: str) -> "tokenizers.Tokenizer":
    """A tokenizer that splits texts as Llama 3 does, but for digits."""
    library = _library()
    made = library.Tokenizer(model)
    words = library.Regex(_WORDS.replace("{DIGITS}", digits))
    split = library.pre_tokenizers.Split(words, "isolated")
    as_bytes = library.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = library.pre_tokenizers.Sequence([split, as_bytes])
    made.decoder = library.decoders.ByteLevel()
    return made  # type: ignore[no-any-return]


def _check(content: dict[str, Any]) -> None:
    """That decoding will be the inverse of encoding."""
    if content["model"].get("type") != "BPE" or "ByteLevel" not in json.dumps(content.get("decoder")):
        raise CheckpointError("the tokenizer does not encode pairs of bytes; wanted one like Llama 3's or CWM's")
    if content.get("normalizer") is not None:
        raise CheckpointError("the tokenizer normalises texts: what it writes is another")
    if '"add_prefix_space": true' in json.dumps(content.get("pre_tokenizer")):
        raise CheckpointError("the tokenizer puts a space before every text: what it writes is another")


def _library() -> Any:
    """`tokenizers`.

    Raises:
        UsageError: it is not installed.

    """
    try:
        import tokenizers
    except ImportError as error:
        raise UsageError("byte-pair encoding needs tokenizers; install it with: pip install 'foretrace[train]'") from error
    return tokenizers


@cache
def _characters() -> dict[int, str]:
    """The character that stands for each byte in such files (GPT-2): itself if it can be seen, else one from 256 on."""
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(_NUM_BYTES) if byte not in seen]
    return {byte: chr(byte) for byte in seen} | {byte: chr(_NUM_BYTES + i) for i, byte in enumerate(hidden)}


@cache
def _bytes() -> dict[str, int]:
    return {character: byte for byte, character in _characters().items()}


def _to_text(token: bytes) -> str:
    return "".join(_characters()[byte] for byte in token)


def _to_bytes(token: str) -> bytes:
    return bytes(_bytes()[character] for character in token)
