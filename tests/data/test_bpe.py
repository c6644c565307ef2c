"""Byte-pair tokenizers: exact inverse, nothing special in a text, and the same ids as tiktoken, tokenizers and transformers."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

tokenizers = pytest.importorskip("tokenizers")

from foretrace.corpus import synthesise
from foretrace.data.bpe import BytePairTokenizer
from foretrace.data.chat import Message, chat_parts, chat_prompt, tool_call
from foretrace.data.ranks import RESERVED, SPECIAL_OFFSETS, merges, read_ranks
from foretrace.data.special import SPECIALS, ChatToken, Special
from foretrace.data.tokenizer import Tokenizer
from foretrace.errors import CheckpointError, FormatError, UsageError
from foretrace.record import record_program
from foretrace.trace import Segment, Token, to_segments

LLAMA_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.text(st.sampled_from("for x12 \n\t'é<|_>\U0001f600"))
MESSAGES = [
    Message("system", "Tools: bash"),
    Message("user", " What is <|eot_id|> in /tmp?\n"),
    Message("assistant", "I look.\n" + tool_call("bash", "ls"), thinking="A shell\nknows."),
    Message("tool", "\na.txt\n", tool="bash"),
    Message("assistant", "A file."),
]


def texts() -> Iterator[str]:
    for seed in range(300):
        program = synthesise(seed)
        yield program.source
        yield f"The call is {program.entry}({program.arguments}), 1234 in all.  It's done.\n\n"


@pytest.fixture(scope="module")
def own() -> Tokenizer:
    return Tokenizer.train(texts(), 1000, kind="bpe")


@pytest.fixture(scope="module")
def ranks_file(own: BytePairTokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Meta's kind of file, of the tokens that we have learnt; and of one that no joining leads to."""
    tokens = [own.spelling(i) for i in range(own.vocab_size - len(SPECIALS))]
    tokens.sort(key=lambda token: len(token) > 1)  # single bytes first, then by rank as learnt
    tokens.append(b"qzxj")
    file = tmp_path_factory.mktemp("meta") / "tokenizer.model"
    file.write_bytes(b"".join(base64.b64encode(token) + f" {rank}\n".encode() for rank, token in enumerate(tokens)))
    return file


@pytest.fixture(scope="module")
def meta(ranks_file: Path) -> Tokenizer:
    return Tokenizer.load(ranks_file.parent)


def test_special_tokens_stand_after_all_others(own: Tokenizer) -> None:
    assert own.vocab_size == 1000
    assert list(own.specials.values()) == list(range(1000 - len(SPECIALS), 1000))


@pytest.mark.parametrize("seed", range(1000, 1010))
def test_a_trace_is_decoded_as_it_was(own: Tokenizer, meta: Tokenizer, seed: int) -> None:
    program = synthesise(seed)
    segments = to_segments(record_program(program.source, program.entry, program.arguments))
    assert own.decode(own.encode(segments)) == segments
    assert meta.decode(meta.encode(segments)) == segments


@given(pairs=st.lists(st.tuples(st.sampled_from(SPECIALS), TEXT.filter(bool)), max_size=4))
def test_decoding_is_the_inverse(own: Tokenizer, pairs: list[tuple[Special, str]]) -> None:
    segments: list[Segment] = [segment for pair in pairs for segment in pair]
    assert own.decode(own.encode(segments)) == segments


@pytest.mark.parametrize("special", SPECIALS)
def test_a_literal_of_a_special_token_is_only_text(own: Tokenizer, special: Special) -> None:
    ids = own.encode([special, f"{special.value} {special.value}"])
    assert [i for i in ids if i in own.specials.values()] == [own.id_of(special)]
    assert own.decode(ids) == [special, f"{special.value} {special.value}"]


def test_digits_stand_alone_in_ours_and_in_threes_in_metas(own: Tokenizer, meta: Tokenizer) -> None:
    assert [own.spelling(i) for i in own.encode(["1234"])] == [b"1", b"2", b"3", b"4"]
    assert own.encode(["12"]) == [*own.encode(["1"]), *own.encode(["2"])]


def test_the_same_texts_give_the_same_tokenizer(own: Tokenizer) -> None:
    assert Tokenizer.train(texts(), 1000, kind="bpe").fingerprint == own.fingerprint


def test_a_lone_surrogate_is_a_clear_error(own: Tokenizer) -> None:
    with pytest.raises(FormatError, match="surrogate"):
        own.encode(["\ud800"])


# ---------------------------------------------------------------------------------------------------
# Meta's file


def test_special_ids_are_cwms(meta: Tokenizer) -> None:
    base = meta.vocab_size - RESERVED
    assert {token.value: i - base for token, i in meta.specials.items()} == {
        name: offset for name, offset in SPECIAL_OFFSETS.items() if name not in ("<|pad|>", "<|eom_id|>")
    }
    trace = ["frame_sep", "action_sep", "return_sep", "call_sep", "line_sep", "exception_sep", "arg_sep"]
    assert [meta.specials[Token(f"<|{name}|>")] - base for name in trace] == list(range(100, 107))
    assert meta.id_of(Token.TRACE_CONTEXT_START) == base + 107
    assert (meta.id_of(ChatToken.END_OF_TURN), meta.id_of(ChatToken.THINKING_START)) == (base + 9, base + 120)


@settings(max_examples=300)
@given(text=TEXT)
def test_ids_are_tiktokens(meta: Tokenizer, ranks_file: Path, text: str) -> None:
    tiktoken = pytest.importorskip("tiktoken")
    ranks = read_ranks(ranks_file.read_bytes())
    oracle = tiktoken.Encoding("test", pat_str=LLAMA_WORDS, mergeable_ranks=ranks, special_tokens={})
    assert meta.encode([text]) == oracle.encode_ordinary(text)


def test_ids_of_code_are_tiktokens(meta: Tokenizer, ranks_file: Path) -> None:
    tiktoken = pytest.importorskip("tiktoken")
    ranks = read_ranks(ranks_file.read_bytes())
    oracle = tiktoken.Encoding("test", pat_str=LLAMA_WORDS, mergeable_ranks=ranks, special_tokens={})
    for text in [*texts(), Path(__file__).read_text(), "qzxj a qzxj qzxjj"]:
        assert meta.encode([text]) == oracle.encode_ordinary(text)


def test_each_token_is_joined_from_one_pair(ranks_file: Path) -> None:
    ranks = read_ranks(ranks_file.read_bytes())
    pairs = merges(ranks)
    assert [left + right for left, right in pairs] == [token for token in ranks if len(token) > 1 and token != b"qzxj"]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"\x0a\x0e\x0a\x05<unk>", "line 2"),  # SentencePiece, as of Llama 2
        (b"IQ== 0\nIg==\n", "line 2"),
        (b"IQ== 0\nIg== 2\n", "from 0 on"),
        (b"IQ== 0\nIg== 1\n", "single byte"),
    ],
)
def test_another_file_is_a_clear_error(tmp_path: Path, data: bytes, complaint: str) -> None:
    (tmp_path / "tokenizer.model").write_bytes(data)
    with pytest.raises(CheckpointError, match=complaint):
        Tokenizer.load(tmp_path)


# ---------------------------------------------------------------------------------------------------
# Hugging Face's file


@pytest.mark.parametrize("name", ["own", "meta"])
def test_saved_and_loaded(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    tokenizer: Tokenizer = request.getfixturevalue(name)
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path)
    assert loaded.fingerprint == tokenizer.fingerprint
    assert loaded.specials == tokenizer.specials
    assert loaded.vocab_size == tokenizer.vocab_size
    text = Path(__file__).read_text()
    assert loaded.encode([text]) == tokenizer.encode([text])
    plain = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    harmless = text.replace("<|", "< |")
    assert plain.encode(harmless).ids == tokenizer.encode([Token.BEGIN_OF_TEXT, harmless])
    assert plain.decode(plain.encode(harmless).ids) == harmless


def test_transformers_reads_it_and_writes_chats_alike(own: Tokenizer, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    own.save(tmp_path / "tokenizer.json")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert theirs.bos_token_id == own.id_of(Token.BEGIN_OF_TEXT)
    chat = [
        {"role": "system", "content": "Tools: bash"},
        {"role": "user", "content": " What is in /tmp?\n"},
        {
            "role": "assistant",
            "content": "I look.",
            "thinking": "A shell",
            "tool_calls": [{"name": "bash", "content": "ls"}],
        },
        {"role": "tool", "name": "bash", "content": "\na.txt\n"},
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "bash", "arguments": "pwd"}}]},
    ]
    messages = [
        Message("system", "Tools: bash"),
        Message("user", " What is in /tmp?\n"),
        Message("assistant", "I look.\n" + tool_call("bash", "ls"), thinking="A shell"),
        Message("tool", "\na.txt\n", tool="bash"),
        Message("assistant", tool_call("bash", "pwd")),
    ]
    written = theirs.apply_chat_template(chat, tokenize=False)
    assert written == "".join(segment for segment, _ in chat_parts(messages, thinking="tag"))
    for think in (False, True):
        prompted = theirs.apply_chat_template(chat, tokenize=False, add_generation_prompt=True, enable_thinking=think)
        assert prompted == "".join(chat_prompt(messages, thinking="tag", think=think))
    ids = theirs(written, add_special_tokens=False)["input_ids"]
    assert own.decode(ids)[:2] == [Token.BEGIN_OF_TEXT, ChatToken.START_HEADER]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"normalizer": {"type": "NFC"}}, "normalises"),
        ({"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}}, "pairs of bytes"),
        ({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "use_regex": True}}, "space"),
        ({"model": {"type": "BPE", "vocab": {}, "merges": []}, "added_tokens": []}, "not a tokenizer"),
    ],
)
def test_another_sort_is_a_clear_error(own: Tokenizer, tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    content = json.loads(own.serialise()) | change
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=complaint):
        Tokenizer.load(tmp_path)


def test_ordinary_tokens_that_were_added_are_text_too(own: Tokenizer) -> None:
    """Some files add words that are not special; a text that holds one is not to be split there."""
    content = json.loads(own.serialise())
    word = {"id": own.vocab_size, "content": "return", "special": False, "normalized": False}
    content["added_tokens"].append(word | {"single_word": False, "lstrip": False, "rstrip": False})
    extended = BytePairTokenizer(json.dumps(content))
    assert extended.vocab_size == own.vocab_size + 1
    assert extended.encode(["return x"]) == own.encode(["return x"])
    assert extended.decode([own.vocab_size]) == ["return"]


def test_too_few_ids_are_a_clear_error() -> None:
    with pytest.raises(UsageError, match="at least"):
        Tokenizer.train(texts(), 200, kind="bpe")
