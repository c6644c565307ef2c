"""Shards: what is read is what was written, whole or not at all, and no damage goes unnoticed."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from foretrace.data.kinds import PREDICTED, Kind
from foretrace.data.shard_writer import ShardWriter
from foretrace.data.shards import HEADER, Document, Shard, read_info, shard_files, shard_name, write_shard
from foretrace.errors import FormatError, PipelineError, UsageError


def documents(count: int, vocab_size: int = 1000, seed: int = 0) -> list[Document]:
    rng = np.random.default_rng(seed)
    dtype = np.uint16 if vocab_size <= 1 << 16 else np.uint32
    lengths = rng.integers(1, 30, count)
    return [
        Document(rng.integers(0, vocab_size, n).astype(dtype), rng.integers(0, len(Kind), n).astype(np.uint8))
        for n in lengths
    ]


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    file = tmp_path / shard_name(7)
    write_shard(file, documents(12), vocab_size=1000, tokenizer="abc")
    return file


def rewrite(file: Path, change: Callable[[dict[str, np.ndarray], dict[str, object]], None]) -> None:
    """Changes what is in a shard, the file staying a whole safetensors file."""
    with safe_open(file, "numpy") as opened:
        header = json.loads(opened.metadata()[HEADER])
    tensors = load_file(file)
    change(tensors, header)
    save_file(tensors, file, {HEADER: json.dumps(header)})


def test_the_same_documents_give_the_same_bytes(tmp_path: Path) -> None:
    files = [tmp_path / shard_name(number) for number in range(4)]
    for file in files:
        write_shard(file, documents(12), vocab_size=1000, tokenizer="abc")
    assert len({file.read_bytes() for file in files}) == 1


# -- reading what was written


@pytest.mark.parametrize(("vocab_size", "dtype"), [(1000, np.uint16), (1 << 16, np.uint16), ((1 << 16) + 1, np.uint32)])
def test_what_is_read_is_what_was_written(tmp_path: Path, vocab_size: int, dtype: type) -> None:
    written = documents(20, vocab_size)
    file = tmp_path / shard_name(0)
    write_shard(file, written, vocab_size=vocab_size, tokenizer="abc")
    shard = Shard(file)
    assert len(shard) == 20
    assert shard.lengths.tolist() == [len(d) for d in written]
    for index, document in enumerate(written):
        read = shard.document(index)
        assert read.tokens.dtype == dtype
        np.testing.assert_array_equal(read.tokens, document.tokens)
        np.testing.assert_array_equal(read.kinds, document.kinds)


def test_a_part_of_a_document_can_be_read(shard: Path) -> None:
    opened = Shard(shard)
    longest = int(opened.lengths.argmax())
    whole, part = opened.document(longest), opened.document(longest, offset=3, length=5)
    np.testing.assert_array_equal(part.tokens, whole.tokens[3:8])
    np.testing.assert_array_equal(part.kinds, whole.kinds[3:8])
    assert len(opened.document(longest, offset=3, length=10_000)) == len(whole) - 3  # and nothing of the next one


def test_the_header_tells_what_is_in_a_shard(shard: Path) -> None:
    lengths = [len(d) for d in documents(12)]
    info = read_info(shard)
    assert (info.tokenizer, info.vocab_size, info.documents, info.tokens) == ("abc", 1000, 12, sum(lengths))
    assert (info.shortest, info.longest) == (min(lengths), max(lengths))


def test_a_shard_may_be_empty(tmp_path: Path) -> None:
    write_shard(tmp_path / shard_name(0), [], vocab_size=10, tokenizer="abc")
    assert len(Shard(tmp_path / shard_name(0))) == 0


def test_reading_a_large_shard_costs_what_is_read(tmp_path: Path) -> None:
    """A file of 3 GB, mostly a hole: were it read whole, memory would grow by as much."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("needs /proc")
    tokens, length = 1 << 30, 1 << 20
    own = {"format": "foretrace shard", "version": 2, "tokenizer": "abc", "vocab_size": 10}
    own |= {"documents": tokens // length, "tokens": tokens, "shortest": length, "longest": length}
    header: dict[str, object] = {
        "__metadata__": {HEADER: json.dumps(own)},
    }
    starts = np.arange(0, tokens + 1, length, dtype=np.int64).tobytes()
    end = len(starts)
    for name, dtype, shape, size in (
        ("starts", "I64", tokens // length + 1, 0),
        ("tokens", "U16", tokens, 2 * tokens),
        ("kinds", "U8", tokens, tokens),
    ):
        header[name] = {"dtype": dtype, "shape": [shape], "data_offsets": [end if size else 0, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file = tmp_path / shard_name(0)
    with file.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text + starts)
        stream.truncate(8 + len(text) + end)
    before = int(statm.read_text().split()[1])
    shard = Shard(file)
    assert len(shard.document(1000)) == length
    grown = (int(statm.read_text().split()[1]) - before) * 4096
    assert grown < 50 << 20


def test_only_the_prompt_is_not_predicted_by_default() -> None:
    assert set(Kind) - PREDICTED == {Kind.PROMPT}


# -- writing


def test_a_writer_begins_a_new_shard_when_one_is_full(tmp_path: Path) -> None:
    written = documents(50)
    with ShardWriter(tmp_path, vocab_size=1000, tokenizer="abc", first_shard=3, tokens_per_shard=100) as writer:
        for document in written:
            writer.append(document)
    files = shard_files(tmp_path)
    assert [file.name for file in files] == [shard_name(3 + n) for n in range(len(files))]
    sizes = [read_info(file).tokens for file in files]
    assert all(100 <= size < 130 for size in sizes[:-1])
    read = [shard.document(i) for shard in map(Shard, files) for i in range(len(shard))]
    assert len(read) == 50
    assert all(np.array_equal(a.tokens, b.tokens) for a, b in zip(read, written, strict=True))


def test_a_writer_that_fails_leaves_only_full_shards(tmp_path: Path) -> None:
    def fail() -> None:
        with ShardWriter(tmp_path, vocab_size=1000, tokenizer="abc", tokens_per_shard=100) as writer:
            for document in documents(50):
                writer.append(document)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert all(read_info(file).tokens >= 100 for file in shard_files(tmp_path))


@pytest.mark.parametrize(
    ("tokens", "kinds"),
    [([], []), ([1, 1000], [1, 1]), ([1, 2], [1, 8]), ([1, 2], [1])],
    ids=["empty", "token", "kind", "lengths"],
)
def test_a_document_that_makes_no_sense_is_not_written(tmp_path: Path, tokens: list[int], kinds: list[int]) -> None:
    document = Document(np.array(tokens, np.uint16), np.array(kinds, np.uint8))
    with pytest.raises(UsageError):
        write_shard(tmp_path / shard_name(0), [document], vocab_size=1000, tokenizer="abc")
    with pytest.raises(UsageError):
        ShardWriter(tmp_path, vocab_size=1000, tokenizer="abc").append(document)
    assert list(tmp_path.iterdir()) == []


LIMITED = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from foretrace.data.shard_writer import ShardWriter
from foretrace.data.shards import Document
from foretrace.errors import PipelineError

if sys.argv[2] == "killed":
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the kernel kills the process in the midst of a write
document = Document(np.zeros(1000, np.uint16), np.zeros(1000, np.uint8))
writer = ShardWriter(Path(sys.argv[1]), vocab_size=10, tokenizer="abc", tokens_per_shard=5000)
for _ in range(10):
    writer.append(document)
resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))
try:
    for _ in range(5):
        writer.append(document)
except PipelineError as error:
    print(error)
"""


@pytest.mark.parametrize("how", ["killed", "full"])
def test_a_writer_killed_or_out_of_space_leaves_no_half_shard(tmp_path: Path, how: str) -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED, tmp_path, how], capture_output=True, text=True)
    assert (done.returncode < 0) == (how == "killed"), done.stderr
    files = shard_files(tmp_path)
    assert [len(Shard(file)) for file in files] == [5, 5]
    if how == "full":
        assert "00002.safetensors" in done.stdout
        assert "make room" in done.stdout
        assert sorted(tmp_path.iterdir()) == files


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"00000\.safetensors"):
        write_shard(tmp_path / "nowhere" / shard_name(0), documents(2), vocab_size=1000, tokenizer="abc")


# -- damage


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_shard_cut_short_is_refused(shard: Path, share: float) -> None:
    content = shard.read_bytes()
    shard.write_bytes(content[: int(share * len(content))])
    with pytest.raises(FormatError, match=r"00007\.safetensors.*build it again"):
        read_info(shard)


def test_a_file_that_is_no_shard_is_refused(tmp_path: Path) -> None:
    file = tmp_path / shard_name(0)
    save_file({"weight": np.zeros(3, np.float32)}, file)
    with pytest.raises(FormatError, match=r"00000\.safetensors is no shard"):
        Shard(file)
    with pytest.raises(FormatError, match=r"00001\.safetensors"):
        Shard(tmp_path / shard_name(1))


def test_a_shard_of_the_first_version_is_to_be_built_again(tmp_path: Path) -> None:
    file = tmp_path / shard_name(0)
    old = {"tokens": np.zeros(5, np.uint16), "starts": np.array([0, 5]), "predict_from": np.array([2], np.int32)}
    save_file(old, file)
    with pytest.raises(FormatError, match="another version of foretrace: build again"):
        Shard(file)


def set_tensor(name: str, value: Callable[[np.ndarray], np.ndarray]) -> Callable[..., None]:
    def change(tensors: dict[str, np.ndarray], metadata: dict[str, object]) -> None:
        tensors[name] = value(tensors[name])

    return change


def set_header(name: str, value: str | None) -> Callable[..., None]:
    def change(tensors: dict[str, np.ndarray], metadata: dict[str, object]) -> None:
        metadata.pop(name)
        if value is not None:
            metadata[name] = value

    return change


def swapped(starts: np.ndarray) -> np.ndarray:
    starts[[2, 3]] = starts[[3, 2]]
    return starts


def set_at(index: int, value: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array[index] = value
        return array

    return change


@pytest.mark.parametrize(
    "change",
    [
        set_tensor("tokens", lambda tokens: tokens.astype(np.int64)),
        set_tensor("tokens", lambda tokens: tokens[:-1]),
        set_tensor("kinds", lambda kinds: kinds.astype(np.int8)),
        set_tensor("kinds", lambda kinds: kinds[:-1]),
        set_tensor("starts", lambda starts: starts.astype(np.int32)),
        set_tensor("starts", swapped),
        set_tensor("starts", set_at(0, 1)),
        set_tensor("starts", set_at(-1, 10_000)),
        set_tensor("starts", set_at(3, -5)),
        set_header("documents", "11"),
        set_header("longest", "3"),
        set_header("vocab_size", "many"),
        set_header("tokenizer", None),
        set_header("version", "3"),
    ],
)
def test_a_damaged_shard_is_refused(shard: Path, change: Callable[..., None]) -> None:
    rewrite(shard, change)
    with pytest.raises(FormatError, match=r"00007\.safetensors.*again"):
        Shard(shard)


@pytest.mark.parametrize(("name", "value"), [("tokens", 1000), ("kinds", 8)])
def test_a_token_or_a_kind_that_there_is_not_never_leaves_a_shard(shard: Path, name: str, value: int) -> None:
    opened = Shard(shard)
    at = int(opened.starts[5])
    rewrite(shard, set_tensor(name, set_at(at, value)))
    opened = Shard(shard)
    opened.document(4)
    opened.document(6)
    with pytest.raises(FormatError, match=rf"00007.*document 5 .*{value}"):
        opened.document(5)


def test_an_empty_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no shards"):
        shard_files(tmp_path)
