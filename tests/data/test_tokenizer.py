"""The tokenizer: exact inverse on anything; digits and the characters of strings apart."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import CheckpointError
from foretrace.trace import Segment, Token

TOKENIZER = Tokenizer.train(["for word in words: new_text = text[0] + word"], vocab_size=800)
CODE = st.text(st.sampled_from(list("abfr'\"\\#\n {}[]():,.=+0123é\U0001f600_<|>")), max_size=40)


def pieces(*segments: Segment) -> list[str]:
    return ["".join(TOKENIZER.decode([i])) for i in TOKENIZER.encode(segments)]


@given(st.lists(st.tuples(st.sampled_from(list(Token)), CODE.filter(bool)), max_size=6))
def test_decoding_is_the_inverse(pairs: list[tuple[Token, str]]) -> None:
    segments = [segment for pair in pairs for segment in pair]
    assert TOKENIZER.decode(TOKENIZER.encode(segments)) == segments


def test_a_literal_of_a_special_token_is_only_text() -> None:
    ids = TOKENIZER.encode(["x = '<|frame_sep|>'"])
    assert TOKENIZER.id_of(Token.FRAME_SEP) not in ids
    assert TOKENIZER.decode(ids) == ["x = '<|frame_sep|>'"]


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


def test_saved_and_loaded(tmp_path: Path) -> None:
    TOKENIZER.save(tmp_path / "tokenizer.json")
    assert Tokenizer.load(tmp_path).pieces == TOKENIZER.pieces


@pytest.mark.parametrize("content", ["", "[]", '{"pieces": []}', '{"pieces": [], "specials": ["<x>"]}'])
def test_a_damaged_file_is_a_clear_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError, match="tokenizer"):
        Tokenizer.load(tmp_path)


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot read"):
        Tokenizer.load(tmp_path / "nowhere")
