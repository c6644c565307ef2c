"""The small tokenizer: exact inverse on anything; digits and the characters of strings apart; no text is special."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretrace.data.pieces import CODE_PIECES
from foretrace.data.small import SmallTokenizer, _code_pattern
from foretrace.data.special import SPECIALS, ChatToken, Special
from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.load import packaged_checkpoints
from foretrace.errors import CheckpointError, UsageError
from foretrace.trace import Segment, Token

TOKENIZER = Tokenizer.train(["for word in words: new_text = text[0] + word"], vocab_size=800)
CODE = st.text(st.sampled_from(list("abfr'\"\\#\n {}[]():,.=+0123é\U0001f600_<|>")), max_size=40)


def pieces(*segments: Segment) -> list[str]:
    return ["".join(TOKENIZER.decode([i])) for i in TOKENIZER.encode(segments)]


@given(st.lists(st.tuples(st.sampled_from(SPECIALS), CODE.filter(bool)), max_size=6))
def test_decoding_is_the_inverse(pairs: list[tuple[Special, str]]) -> None:
    segments = [segment for pair in pairs for segment in pair]
    assert TOKENIZER.decode(TOKENIZER.encode(segments)) == segments
    assert [i for ids in TOKENIZER.encode_each(segments) for i in ids] == TOKENIZER.encode(segments)


@pytest.mark.parametrize("special", SPECIALS)
def test_a_literal_of_a_special_token_is_only_text(special: Special) -> None:
    ids = TOKENIZER.encode([special, f"x = '{special.value}'"])
    assert [i for i in ids if i in TOKENIZER.specials.values()] == [TOKENIZER.id_of(special)]
    assert TOKENIZER.decode(ids) == [special, f"x = '{special.value}'"]


def test_code_is_merged_and_strings_are_not() -> None:
    assert pieces("    words.append('words')\n") == ["    ", "words", ".append(", *"'words'", ")", "\n"]


def test_digits_stand_alone() -> None:
    assert pieces("x = 1234") == ["x", " = ", "1", "2", "3", "4"]


def test_an_apostrophe_in_a_comment_opens_no_string() -> None:
    assert "text" in pieces("# don't\ntext = text")


def test_a_list_has_the_same_tokens_in_source_and_locals() -> None:
    shown = pieces(Token.LINE_SEP, '{"text": "[1, \'ab\', True]", "word": "..", "n": ".."}')
    assert shown[1:3] == ['{"', "text"]
    value = pieces("[1, 'ab', True]")
    assert shown[4 : 4 + len(value)] == value
    assert shown[4 + len(value) :] == ['", "', "word", '": "..", "', "n", '": ".."}']


@given(st.lists(st.sampled_from([*CODE_PIECES, "in", "xin", "rangex", "x", " ", "7", "\n", "notin"]), max_size=12))
def test_the_longest_piece_that_fits_is_taken(parts: list[str]) -> None:
    """The shared pattern finds what a list of all pieces from the longest down would."""
    text = "".join(parts)
    alternatives = []
    for piece in sorted(TOKENIZER.pieces, key=len, reverse=True):
        left = "(?<![A-Za-z])" if piece[0].isalpha() else ""
        alternatives.append(left + re.escape(piece) + ("(?![A-Za-z])" if piece[-1].isalpha() else ""))
    plain = re.compile(f"(?P<piece>{'|'.join(alternatives)})|(?P<word>[A-Za-z]+)|(?P<other>[\\s\\S])")
    shared = re.compile(_code_pattern(TOKENIZER.pieces).split("(?P<comment>#[^\\n]*)|")[1])
    assert shared.findall(text) != [] or not text
    assert [m.group() for m in shared.finditer(text)] == [m.group() for m in plain.finditer(text)]


def test_what_is_remembered_is_the_same_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretrace.data.tokenizer._REMEMBERED", 10_000)
    tokenizer = SmallTokenizer(CODE_PIECES)
    segments: list[Segment] = [Token.LINE_SEP, '{"a": "1"}', Token.ACTION_SEP, '{"a": "1"}']
    once = tokenizer.encode(segments)
    for number in range(100):
        tokenizer.encode([f"{number}" + "x" * 500])
        assert sum(len(text) for _, text in tokenizer._known) <= 10_000
    assert tokenizer.encode(segments) == tokenizer.encode(segments) == once


# ---------------------------------------------------------------------------------------------------
# Files


def test_saved_and_loaded(tmp_path: Path) -> None:
    TOKENIZER.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path)
    assert loaded.fingerprint == TOKENIZER.fingerprint
    assert loaded.specials == TOKENIZER.specials
    assert loaded.encode([ChatToken.END_OF_TURN, "def f(x):"]) == TOKENIZER.encode([ChatToken.END_OF_TURN, "def f(x):"])
    assert [file.name for file in tmp_path.iterdir()] == ["tokenizer.json"]


def test_the_packaged_tokenizer_is_what_it_was() -> None:
    """Its file is from before there were chats: its ids stay, and it has no token for them."""
    packaged = Tokenizer.load(packaged_checkpoints()["tiny"])
    assert packaged.vocab_size == 1024
    assert list(packaged.specials) == list(Token)
    assert packaged.encode([Token.FRAME_SEP, "a = 1\n"]) == [2, 107, packaged.encode([" = "])[0], 59, 20]
    with pytest.raises(UsageError, match=r"no token .*eot_id"):
        packaged.encode([ChatToken.END_OF_TURN])


@pytest.mark.parametrize(
    "content",
    ["", "[]", "7", '{"pieces": []}', '{"pieces": [], "specials": ["<x>"]}', '{"pieces": [3], "specials": ["<|eot_id|>"]}'],
)
def test_a_damaged_file_is_a_clear_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError, match="tokenizer"):
        Tokenizer.load(tmp_path)


def test_special_tokens_of_the_future_are_a_clear_error(tmp_path: Path) -> None:
    content = json.loads(TOKENIZER.serialise())
    content["specials"].append("<|telepathy|>")
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="telepathy"):
        Tokenizer.load(tmp_path)


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot read"):
        Tokenizer.load(tmp_path / "nowhere")


def test_too_few_ids_are_a_clear_error() -> None:
    with pytest.raises(UsageError, match="at least"):
        Tokenizer.train([], vocab_size=300)
    with pytest.raises(UsageError, match="no tokenizer of kind"):
        Tokenizer.train([], vocab_size=300, kind="words")  # type: ignore[arg-type]
