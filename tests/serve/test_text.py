"""Text as it comes: however it is cut, it is the text of the whole, up to where it ends."""

import random

import pytest

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.load import packaged_checkpoints
from foretrace.serve.text import TextWriter, shown_token
from foretrace.trace import Token

TOKENIZER = Tokenizer.load(packaged_checkpoints()["tiny"])
SEP = TOKENIZER.id_of(Token.FRAME_SEP)
END = TOKENIZER.id_of(Token.END_OF_TEXT)


def written(ids: list[int], **options: object) -> tuple[list[str], TextWriter]:
    """What `take` gave after each token, and at the end; tokens after the end are not fed."""
    writer, pieces = TextWriter(TOKENIZER, **options), []  # type: ignore[arg-type]
    for token in ids:
        ended = writer.add(token)
        pieces.append(writer.take())
        if ended:
            break
    writer.finish()
    return [*pieces, writer.take()], writer


def test_pieces_are_the_text_of_the_whole() -> None:
    rng = random.Random(0)
    for _ in range(200):
        ids = [rng.randrange(TOKENIZER.vocab_size) for _ in range(rng.randrange(30))]  # mostly broken UTF-8
        whole = "".join(map(str, TOKENIZER.decode(ids)))
        pieces, _ = written(ids)
        assert "".join(pieces) == whole


def test_a_character_comes_once_it_is_whole() -> None:
    ids = TOKENIZER.encode(["é€x"])
    pieces, _ = written(ids)
    assert [piece for piece in pieces if piece] == ["é", "€", "x"]
    assert written(ids[:1])[0] == ["", "\ufffd"]
    assert "".join(written([ids[0], SEP, ids[1]])[0]) == "\ufffd<|frame_sep|>\ufffd"


def test_special_tokens_have_names_unless_they_are_skipped() -> None:
    ids = [*TOKENIZER.encode(["x"]), SEP]
    assert "".join(written(ids)[0]) == "x<|frame_sep|>"
    assert "".join(written(ids, skip_special=True)[0]) == "x"


@pytest.mark.parametrize("include", [False, True])
def test_a_stop_text_ends_it_wherever_tokens_part(include: bool) -> None:
    ids = TOKENIZER.encode(["1234567"])
    assert len(ids) == 7  # a token a digit
    pieces, writer = written(ids, stops=["99", "345"], include_stop=include)
    assert writer.stopped == "345"
    assert "".join(pieces) == ("12345" if include else "12")
    assert pieces[:4] == ["1", "2", "", ""]  # what may be its beginning is held back


def test_what_only_looked_like_a_stop_text_comes_later() -> None:
    ids = TOKENIZER.encode(["12312"])
    pieces, writer = written(ids, stops=["1234"])
    assert (writer.stopped, "".join(pieces)) == (None, "12312")
    assert pieces == ["", "", "", "123", "", "12"]


def test_the_stop_text_that_is_complete_first_counts() -> None:
    ids = TOKENIZER.encode(["12345"])
    for stops in (["2345", "34"], ["34", "2345"]):
        pieces, writer = written(ids, stops=stops)
        assert (writer.stopped, "".join(pieces)) == ("34", "12")


def test_tokens_that_end_a_sequence_have_no_text_unless_it_is_wanted() -> None:
    ids = [*TOKENIZER.encode(["x"]), END]
    assert "".join(written(ids, silent={END})[0]) == "x"
    assert "".join(written(ids, silent={END}, include_stop=True)[0]) == "x<|end_of_text|>"


def test_names_of_tokens() -> None:
    [first, second] = TOKENIZER.encode(["é"])
    assert shown_token(TOKENIZER, SEP, as_id=False) == "<|frame_sep|>"
    assert shown_token(TOKENIZER, SEP, as_id=True) == f"token_id:{SEP}"
    assert [shown_token(TOKENIZER, token, as_id=False) for token in (first, second)] == ["bytes:\\xc3", "bytes:\\xa9"]
