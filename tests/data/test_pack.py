"""Packing: what each source becomes, damage that is told, programs that are held out whole."""

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")

from shard_contents import PACKAGED, TOKENIZER, Ids, documents, ids_of, job, packed, small_units  # noqa: F401

from foretrace.corpus import synthesise
from foretrace.data.dataset import open_dataset
from foretrace.data.pack import PackJob, is_held_out, pack
from foretrace.data.render import render, render_narration, render_text
from foretrace.data.tokenizer import Tokenizer
from foretrace.data.units import find_units
from foretrace.errors import FormatError, UsageError
from foretrace.record import record_program
from foretrace.trace import Trace, read_binary, to_binary, write_jsonl

CHAT = {"messages": [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hi."}]}


@pytest.fixture(scope="module")
def traces() -> list[Trace]:
    programs = map(synthesise, range(900, 906))
    return [record_program(program.source, program.entry, program.arguments) for program in programs]


def expected(rows: list[dict[str, Any]], max_tokens: int | None = None, tokenizer: Tokenizer = TOKENIZER) -> list[Ids]:
    found = [render(tokenizer, next(read_binary(row["trace"])), max_tokens) for row in rows]
    return [ids_of(document) for document in found if document is not None]


# ---------------------------------------------------------------------------------------------------
# What each source becomes


@pytest.mark.usefixtures("small_units")
def test_a_dataset(dataset_folder: Path, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    record = pack(job(tmp_path, dataset_folder), TOKENIZER)
    assert documents(tmp_path / "shards") == expected(rows)
    assert record.documents == len(rows)
    assert record.tokens == sum(record.kinds.values()) == sum(len(tokens) for tokens, _ in expected(rows))
    assert not record.dropped
    assert len(packed(tmp_path / "shards")) == sum(-(-count // 4) for count in open_dataset(dataset_folder).traces.counts)


def test_traces_that_are_too_long_are_counted(dataset_folder: Path, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    record = pack(job(tmp_path, dataset_folder, max_tokens=300), PACKAGED)
    kept = expected(rows, 300, PACKAGED)
    assert documents(tmp_path / "shards") == kept
    assert record.dropped == {"too long": len(rows) - len(kept)}
    assert 0 < len(kept) < len(rows)


def test_damaged_rows_are_counted_and_the_rest_is_packed(
    make_dataset: Callable[..., Path], rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    damaged = [dict(row) for row in rows[:6]]
    damaged[1]["trace"] = damaged[1]["trace"][:-7]
    damaged[3]["trace"] = None
    damaged[4]["trace"] = b"nonsense"
    record = pack(job(tmp_path, make_dataset(damaged)), TOKENIZER)
    assert documents(tmp_path / "shards") == expected([rows[0], rows[2], rows[5]])
    assert record.dropped == {"damaged trace": 3}
    assert all("damaged trace: " in example and "row" in example for example in record.examples)
    assert len(record.examples) == 3


def test_a_damaged_file_is_a_clear_error(
    make_dataset: Callable[..., Path], rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    folder = make_dataset(rows[:4])
    [file, _] = sorted(folder.glob("traces-*"))
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(FormatError, match=r"traces-00000.parquet is damaged"):
        pack(job(tmp_path, folder), TOKENIZER)


@pytest.mark.usefixtures("small_units")
def test_narrations_and_sources(make_dataset: Callable[..., Path], rows: list[dict[str, Any]], tmp_path: Path) -> None:
    told = [row | {"narration": f"It is {at}." if at % 2 else None} for at, row in enumerate([*rows[:5], rows[4], rows[4]])]
    folder = make_dataset(told)
    record = pack(PackJob(sources=(folder,), out=tmp_path / "told", material="narration"), TOKENIZER)
    want = [render_narration(TOKENIZER, row["source"], row["narration"]) for row in told if row["narration"]]
    assert documents(tmp_path / "told") == [ids_of(document) for document in want if document]
    assert record.dropped == {"no narration": 4}
    pack(PackJob(sources=(folder,), out=tmp_path / "text", material="text"), TOKENIZER)
    assert documents(tmp_path / "text") == [ids_of(render_text(TOKENIZER, row["source"])[0]) for row in rows[:5]]


@pytest.mark.parametrize("form", ["ftb", "jsonl"])
def test_recordings(form: str, traces: list[Trace], tmp_path: Path) -> None:
    file = tmp_path / f"recording.{form}"
    if form == "ftb":
        file.write_bytes(to_binary(traces))
    else:
        with file.open("w") as stream:
            for trace in traces:
                write_jsonl(trace, stream)
    pack(job(tmp_path, file), TOKENIZER)
    want = [render(TOKENIZER, trace) for trace in traces]
    assert documents(tmp_path / "shards") == [ids_of(document) for document in want if document]


def damaged(form: str, traces: list[Trace]) -> bytes:
    """A recording whose third trace is damaged; `cut` is cut off in it."""
    if form == "jsonl":
        stream = io.StringIO()
        for trace in traces:
            write_jsonl(trace, stream)
        lines = stream.getvalue().splitlines(keepends=True)
        third = [at for at, line in enumerate(lines) if line.startswith('{"v"')][2]
        return "".join([*lines[: third + 2], "{bad\n", *lines[third + 3 :]]).encode()
    start = len(to_binary(traces[:2]))
    end = start + len(to_binary(traces[2:3]))
    data = to_binary(traces)
    return data[: end - 10] if form == "cut" else data[: end - 10] + b"\xff" * 10 + data[end:]


@pytest.mark.parametrize("form", ["cut", "overwritten", "jsonl"])
def test_a_damaged_recording_gives_the_traces_before(form: str, traces: list[Trace], tmp_path: Path) -> None:
    file = tmp_path / ("recording.jsonl" if form == "jsonl" else "recording.ftb")
    file.write_bytes(damaged(form, traces))
    record = pack(job(tmp_path, file), TOKENIZER)
    want = [render(TOKENIZER, trace) for trace in traces[:2]]
    assert documents(tmp_path / "shards") == [ids_of(document) for document in want if document]
    assert record.dropped == {"damaged recording": 1}
    assert "recording" in record.examples[0]


def test_a_folder_of_files(traces: list[Trace], tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep" / ".hidden").mkdir(parents=True)
    (source / "a.py").write_text("x = 1\n")
    (source / "deep" / "b.md").write_text("# Ünïcode\n")
    (source / "deep" / "empty.txt").write_text(" \n")
    (source / "deep" / "image.png").write_bytes(b"\x89PNG\xff")
    (source / "deep" / "zeros.bin").write_bytes(b"a\0b")
    (source / "deep" / ".hidden" / "c.py").write_text("no")
    (source / "trace.ftb").write_bytes(to_binary(traces[:1]))
    (source / "chats.jsonl").write_text(json.dumps(CHAT) + "\n")
    (source / "texts.jsonl").write_text('{"text": "y = 2"}\n{"text": 3}\n{"text": ""}\n{bad\n')
    record = pack(job(tmp_path, source), TOKENIZER)
    found = [TOKENIZER.decode(tokens) for tokens, _ in documents(tmp_path / "shards")]
    assert sorted(str(segments[1]) for segments in found) == sorted(
        ["x = 1\n", "# Ünïcode\n", "y = 2", "<|start_header_id|>", "<|trace_context_start|>"]
    )
    assert record.dropped == {"not UTF-8 text": 2, "empty": 2, "damaged text": 2}


def test_many_small_files_are_one_unit(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.py" for number in range(50)]
    for file in files:
        file.write_text(f"x = {file.stem}\n")
    [unit] = find_units(files)
    assert unit.files == tuple(map(str, files))


@pytest.mark.usefixtures("small_units")
def test_lines_are_packed_once_wherever_a_unit_ends(tmp_path: Path) -> None:
    draw = random.Random(0)
    texts = [str(number) * draw.randrange(1, 60) for number in range(200)]
    file = tmp_path / "texts.jsonl"
    file.write_text("\n".join(json.dumps({"content": text}) for text in texts))
    pack(job(tmp_path, file), TOKENIZER)
    assert documents(tmp_path / "shards") == [ids_of(render_text(TOKENIZER, text)[0]) for text in texts]
    assert len(packed(tmp_path / "shards")) > 20


def test_chats_and_their_mistakes(tmp_path: Path) -> None:
    file = tmp_path / "chats.jsonl"
    silent = {"messages": [{"role": "user", "content": "Hi?"}]}
    unnamed = {"messages": [{"role": "tool", "content": "1"}]}
    file.write_text("".join(json.dumps(line) + "\n" for line in (CHAT, silent, {"messages": 3}, unnamed, CHAT)))
    record = pack(job(tmp_path, file), TOKENIZER)
    assert record.documents == 2
    assert record.dropped == {"nothing in it to predict": 1, "damaged chat": 2}
    assert [example.partition("chats.jsonl, ")[2] for example in record.examples] == [
        'line 3: it is no chat: wanted a list "messages" that is not empty',
        "line 4: message 1: an answer of a tool, and no other message, says which tool's; this one says ''",
    ]


def test_parquet_of_chats_and_of_texts(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist([CHAT, CHAT | {"subject": "a"}]), tmp_path / "chats.parquet")
    parquet.write_table(
        pyarrow.Table.from_pylist([{"text": "a", "id": 1}, {"text": None, "id": 2}]), tmp_path / "texts.parquet"
    )
    record = pack(job(tmp_path, tmp_path / "chats.parquet", tmp_path / "texts.parquet"), TOKENIZER)
    assert record.documents == 3
    assert record.dropped == {"damaged text": 1}


@pytest.mark.parametrize(
    ("name", "content", "material", "complaint"),
    [
        ("a.ftb", b"", "chat", "could become a chat document; it could be: trace"),
        ("a.py", b"x", "trace", "it could be: text"),
        ("none", None, None, "no such file"),
        ("a.jsonl", b"", None, "nothing in"),
    ],
)
def test_sources_that_are_of_another_kind(
    name: str, content: bytes | None, material: Any, complaint: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=complaint):
        find_units([tmp_path / name], material)


def test_a_tokenizer_that_lacks_what_is_needed_is_told_before_anything_is_written(tmp_path: Path) -> None:
    file = tmp_path / "chats.jsonl"
    file.write_text(json.dumps(CHAT) + "\n")
    with pytest.raises(UsageError, match="start_header_id"):
        pack(job(tmp_path, file), PACKAGED)
    assert not (tmp_path / "shards").exists()


@pytest.mark.parametrize(
    "wrong", [{"max_tokens": 1}, {"validation": 1.0}, {"validation": -0.1}, {"part": (0, 2)}, {"part": (3, 2)}]
)
def test_options_that_make_no_sense(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        job(tmp_path, tmp_path, **wrong)


# ---------------------------------------------------------------------------------------------------
# Held out


@pytest.mark.usefixtures("small_units")
def test_a_program_is_held_out_with_all_its_traces(
    make_dataset: Callable[..., Path], rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    again = [row for row in rows for _ in range(2)]
    record = pack(job(tmp_path, make_dataset(again), validation=0.3), TOKENIZER)
    kept, held = set(documents(tmp_path / "shards")), set(documents(tmp_path / "shards-validation"))
    assert not kept & held
    assert sorted(kept | held) == sorted(set(expected(rows)))
    assert held == set(expected([row for row in rows if is_held_out(row["subject"], 0.3)]))
    assert (record.documents, record.held_out_documents) == (2 * len(kept), 2 * len(held))
    assert held


def test_questions_about_a_program_are_held_out_with_it(tmp_path: Path) -> None:
    chats = [
        {"subject": f"{n // 2}", "messages": [{"role": "user", "content": f"{n}?"}, CHAT["messages"][1]]} for n in range(60)
    ]
    file = tmp_path / "chats.jsonl"
    file.write_text("".join(json.dumps(chat) + "\n" for chat in chats))
    record = pack(job(tmp_path, file, validation=0.5), TOKENIZER)
    assert record.held_out_documents == 2 * sum(is_held_out(f"{n}", 0.5) for n in range(30))


def test_the_share_that_is_held_out() -> None:
    held = [number for number in range(5000) if is_held_out(str(number), 0.1)]
    assert 400 < len(held) < 600
    assert set(held) >= {number for number in range(5000) if is_held_out(str(number), 0.05)}
    assert not any(is_held_out(str(number), 0.0) for number in range(100))
