"""What a dataset holds, against counts made another way."""

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("pyarrow")

from foretrace.data import dataset as dataset_module
from foretrace.data.browse import draw, locate, search
from foretrace.data.dataset import open_dataset
from foretrace.data.describe import describe
from foretrace.data.distinct import Distinct
from foretrace.data.distribution import Distribution
from foretrace.data.printable import on_one_line, printable
from foretrace.data.quantities import short, size
from foretrace.data.schema import COLUMNS, DROP_COLUMNS, STAGES, arrow_schema, drop_schema
from foretrace.data.token_view import pieces
from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.load import packaged_checkpoints
from foretrace.errors import FormatError, UsageError
from foretrace.trace import Event, Token, read_binary, to_segments, to_text

Row = dict[str, Any]


def test_the_schemas_name_every_column() -> None:
    assert arrow_schema().names == list(COLUMNS)
    assert drop_schema({"seed": "1"}).names == list(DROP_COLUMNS)
    assert drop_schema({"seed": "1"}).metadata == {b"seed": b"1"}
    assert drop_schema().field("stage").metadata[b"meaning"].decode().startswith("harvest, decontamination")


# -- describing --------------------------------------------------------------------------------------


def test_totals_are_those_of_the_rows(dataset_folder: Path, rows: list[Row]) -> None:
    found = describe(open_dataset(dataset_folder))
    assert (found.traces, found.subjects, found.subjects_exact) == (len(rows), len({row["subject"] for row in rows}), True)
    for name, measured in found.lengths.items():
        assert measured.total == sum(row[name] for row in rows)
        assert measured.mean == pytest.approx(mean(row[name] for row in rows))
    assert found.bytes_on_disk == sum(file.stat().st_size for file in dataset_folder.glob("traces-*.parquet"))
    for column, parts in (("kind", found.by_kind), ("licence", found.by_licence)):
        assert {key: part.traces for key, part in parts.items()} == Counter(row[column] for row in rows)
        assert sum(part.tokens for part in parts.values()) == sum(row["tokens"] for row in rows)
    assert {key: part.traces for key, part in found.by_name.items()} == Counter((r["kind"], r["name"]) for r in rows)
    assert found.outcomes == Counter(row["outcome"] for row in rows)
    assert found.exceptions == Counter(row["value"].split("(")[0] for row in rows if row["outcome"] == "raised")
    assert found.answers.total() == sum(row["passed"] is not None for row in rows)
    assert found.constructs == Counter(name for row in rows for name in row["constructs"])
    assert found.value_types == Counter(name for row in rows for name in row["value_types"])


def test_the_mix_of_events_is_that_of_the_frames(dataset_folder: Path, rows: list[Row]) -> None:
    found = describe(open_dataset(dataset_folder))
    frames = [frame for row in rows for trace in read_binary(row["trace"]) for frame in trace.frames]
    assert found.event_mix == Counter(frame.event.value for frame in frames)
    assert found.event_mix.total() == found.total("events")
    assert (found.sampled, found.unreadable) == (len(rows), 0)


def test_events_are_counted_on_an_even_sample_where_there_are_many(dataset_folder: Path, rows: list[Row]) -> None:
    found = describe(open_dataset(dataset_folder), sample=9)
    assert 6 <= found.sampled <= 9 < len(rows)
    positions = [len(batch) for batch in open_dataset(dataset_folder).traces.spread("id", 6)]
    assert positions == [1] * 6


def test_a_program_that_writes_special_tokens_makes_no_events(make_dataset: Callable[..., Path]) -> None:
    from dataset_rows import row_of
    from foretrace.record.program import record_program

    source = "def f(s):\n    return s + '<|line_sep|><|frame_sep|>'\n"
    trace = record_program(source, "f", "'<|line_sep|>'")
    found = describe(open_dataset(make_dataset([row_of(source, "f", "'<|line_sep|>'", trace)])))
    assert found.event_mix == Counter(frame.event.value for frame in trace.frames)
    assert found.event_mix[Event.LINE] == 1


def test_small_batches_give_the_same(dataset_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = describe(open_dataset(dataset_folder)).to_dict()
    monkeypatch.setattr(dataset_module, "BATCH", 16)
    seen: list[tuple[int, int]] = []
    assert describe(open_dataset(dataset_folder), lambda *a: seen.append(a)).to_dict() == expected
    assert seen[-1] == (expected["traces"], expected["traces"])
    assert len(seen) > 2


def test_the_funnel_adds_up(dataset_folder: Path, rows: list[Row]) -> None:
    funnel = describe(open_dataset(dataset_folder)).funnel
    assert [(stage.name, stage.dropped, stage.whole) for stage in funnel.stages] == [
        ("harvest", 0, 0), ("decontamination", 1, 0), ("duplicates", 1, 1), ("arguments", 2, 2), ("record", 1, 0),
        ("filter", 2, 0),
    ]  # fmt: skip
    assert list(STAGES) == [stage.name for stage in funnel.stages]
    assert funnel.tried == funnel.stages[0].entered == len(rows) + 7
    assert all(a.left == b.entered for a, b in zip(funnel.stages, funnel.stages[1:], strict=False))
    assert funnel.stages[-1].left == funnel.kept == len(rows)
    assert (funnel.dropped, funnel.whole) == (7, 3)
    assert funnel.stages[5].reasons == {"impure": 1, "too long": 1}


def test_an_unknown_stage_is_counted_too(make_dataset: Callable[..., Path], rows: list[Row]) -> None:
    from dataset_rows import drop

    funnel = describe(open_dataset(make_dataset(rows[:2], [drop("f", "weather", "rain")]))).funnel
    assert [(s.name, s.dropped, s.left) for s in funnel.stages if s.dropped] == [("weather", 1, 2)]


def test_an_empty_dataset(make_dataset: Callable[..., Path]) -> None:
    found = describe(open_dataset(make_dataset([], [], {}, parts=1)))
    assert (found.traces, found.subjects, found.bytes_a_trace, found.funnel.tried) == (0, 0, 0, 0)
    assert found.lengths["tokens"].quantile(0.5) == found.coverage.mean == 0
    assert found.to_dict()["event_mix"] == {}


def test_a_manifest_alone_is_an_empty_dataset(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    assert describe(open_dataset(tmp_path)).traces == 0


def test_nulls_are_no_obstacle(make_dataset: Callable[..., Path], rows: list[Row]) -> None:
    row = rows[0] | dict.fromkeys(("licence", "coverage", "value", "constructs", "trace"))
    found = describe(open_dataset(make_dataset([row], [], parts=1)))
    assert (list(found.by_licence), found.coverage.number, found.unreadable) == (["unknown"], 0, 0)
    assert found.event_mix.total() == 0


def test_damaged_traces_are_counted_not_fatal(make_dataset: Callable[..., Path], rows: list[Row]) -> None:
    found = describe(open_dataset(make_dataset([rows[0] | {"trace": b"FTB\x01junk"}, rows[1]], [], parts=1)))
    assert (found.traces, found.sampled, found.unreadable) == (2, 2, 1)


# -- files that are none -----------------------------------------------------------------------------


def test_what_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no folder .*; name one that foretrace data make has written"):
        open_dataset(tmp_path / "absent")
    with pytest.raises(UsageError, match=r"no dataset in .*make one: foretrace data make"):
        open_dataset(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(FormatError, match="not a JSON object"):
        open_dataset(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(FormatError, match=r"manifest\.json is damaged"):
        open_dataset(tmp_path)


def test_a_damaged_file_is_named(make_dataset: Callable[..., Path], rows: list[Row]) -> None:
    folder = make_dataset(rows)
    file = folder / "traces-00001.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FormatError, match=r"traces-00001.parquet is damaged \(.*make the dataset again"):
        describe(open_dataset(folder))
    flipped = bytearray(whole)
    flipped[200:2000] = bytes(1800)
    file.write_bytes(flipped)
    with pytest.raises(FormatError, match=r"traces-00001.parquet is damaged"):
        open_dataset(folder).traces.rows(range(len(rows)))
    file.write_bytes((folder / "drops-00000.parquet").read_bytes())
    with pytest.raises(FormatError, match=r"traces-00001.parquet is no part of a dataset of traces: it has no column id"):
        describe(open_dataset(folder))


# -- numbers -----------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 10_000), min_size=1), st.floats(0, 1))
def test_quantiles_and_bins(numbers: list[int], share: float) -> None:
    found = Distribution(Counter(numbers))
    ordered = sorted(numbers)
    assert found.quantile(share) == ordered[max(math.ceil(share * len(numbers) - 1e-6), 1) - 1]
    edges = found.log_edges()
    positive = [number for number in numbers if number >= 1]
    assert sum(found.in_bins(edges) if edges else []) == len(positive)
    assert edges == sorted(set(edges))
    if positive:
        assert edges[0] <= min(positive) <= max(positive) <= edges[-1]


def test_the_last_bin_has_its_upper_edge() -> None:
    assert Distribution(Counter({0.0: 1, 0.5: 2, 1.0: 3, 1.5: 4})).in_bins([0, 0.5, 1]) == [1, 5]


def test_different_texts_are_counted_exactly_then_estimated() -> None:
    few, many = Distinct(limit=1000), Distinct(limit=1000)
    few.add([*map(str, range(1000)), None, "7"])
    assert (few.number, few.exact) == (1000, True)
    for start in range(0, 100_000, 7000):
        many.add(map(str, range(start, min(start + 7000, 100_000))))
    assert not many.exact
    assert many.number == pytest.approx(100_000, rel=0.15)


def test_amounts_for_people() -> None:
    assert [size(n) for n in (0, 999, 1000, 1_962_103, 10**15)] == ["0 bytes", "999 bytes", "1.0 kB", "2.0 MB", "1,000.0 TB"]
    assert [short(n) for n in (3, 9999, 0.25, 10_000, 1_926_296, 2.5e12)] == ["3", "9,999", "0.2", "10 k", "1.93 M", "2.5 T"]


# -- finding -----------------------------------------------------------------------------------------


def test_rows_come_in_the_order_asked_for(dataset_folder: Path, rows: list[Row]) -> None:
    traces = open_dataset(dataset_folder).traces
    wanted = [len(rows) - 1, 0, 22, 7, 0]
    assert [row["id"] for row in traces.rows(wanted, ["id"])] == [rows[at]["id"] for at in wanted]
    assert traces.rows([3])[0]["source"] == rows[3]["source"]
    assert traces.rows([]) == []


def test_a_trace_is_found_by_number_and_by_id(
    dataset_folder: Path, rows: list[Row], make_dataset: Callable[..., Path]
) -> None:
    dataset = open_dataset(dataset_folder)
    assert locate(dataset, "1") == 0
    assert locate(dataset, str(len(rows))) == len(rows) - 1
    for at in (0, 25, len(rows) - 1):
        assert locate(dataset, rows[at]["id"]) == locate(dataset, rows[at]["id"][:20].upper()) == at
    with pytest.raises(UsageError, match=f"there is no trace 5000; they are numbered from 1 to {len(rows)}"):
        locate(dataset, "5000")
    near = rows[4]["id"][:20] + "g"
    with pytest.raises(UsageError, match=f"no trace has an id .*Nearest: {rows[4]['id']}"):
        locate(dataset, near)
    with pytest.raises(UsageError, match="no trace has an id"):
        locate(dataset, "")
    twins = [rows[0] | {"id": "abc1"}, rows[1] | {"id": "abc2"}]
    with pytest.raises(UsageError, match=r"2 traces have an id that starts with 'abc': abc1, abc2"):
        locate(open_dataset(make_dataset(twins)), "abc")


def test_drawing_is_even_and_repeatable() -> None:
    assert draw(range(100), 5, 1) == draw(range(100), 5, 1) != draw(range(100), 5, 2)
    assert sorted(draw([7, 8], 5, 0)) == [7, 8]
    seen = Counter(at for seed in range(3000) for at in draw(range(10), 2, seed))
    assert all(450 < count < 750 for count in seen.values())


@pytest.mark.parametrize(
    ("wanted", "entries"),
    [
        ("partition_all", {"partition_all"}),
        ("toolz 1.0.0::first", {"first"}),
        ("toolz/itertoolz.py::second", {"second"}),
        ("toolz/iter", {"partition_all", "interleave", "sliding_window", "first", "second", "unique"}),
        ("%_all", {"partition_all"}),
        ("toolz%::%nter%", {"interleave"}),
    ],
)
def test_what_was_dropped_is_found(dataset_folder: Path, wanted: str, entries: set[str]) -> None:
    fates, more = search(open_dataset(dataset_folder), wanted)
    assert {fate.place["entry"] for fate in fates if fate.drops} == entries
    assert more == 0


def test_a_subject_is_found_by_the_id_of_its_trace(dataset_folder: Path, rows: list[Row]) -> None:
    dataset = open_dataset(dataset_folder)
    for wanted in (rows[5]["id"], rows[5]["subject"][:12]):
        [fate], more = search(dataset, wanted)
        assert (fate.place["subject"], more, fate.drops) == (rows[5]["subject"], 0, [])
        assert rows[5]["id"] in [kept["id"] for kept in fate.kept]


def test_calls_kept_and_dropped_stand_together(make_dataset: Callable[..., Path], rows: list[Row]) -> None:
    from dataset_rows import drop

    lost = drop("f", "filter", "too long", arguments="9", subject=rows[0]["subject"], name="elsewhere 2.0")
    [fate], _ = search(open_dataset(make_dataset(rows[:3], [lost])), "elsewhere 2.0")
    assert [row["id"] for row in fate.kept] == [rows[0]["id"]]
    assert [row["reason"] for row in fate.drops] == ["too long"]
    assert len(search(open_dataset(make_dataset(rows[:30], [])), "%.py", limit=4)[0]) == 4


def test_an_unknown_name_gets_suggestions(dataset_folder: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing called 'toolz::partition_al' .*did you mean 'partition_all'\?"):
        search(open_dataset(dataset_folder), "toolz::partition_al")


# -- showing -----------------------------------------------------------------------------------------


def test_tokens_are_those_a_model_reads(rows: list[Row]) -> None:
    tokenizer = Tokenizer.load(packaged_checkpoints()["tiny"])
    for row in rows:
        [trace] = read_binary(row["trace"])
        found = pieces(tokenizer, trace)
        assert [piece.id for piece in found] == tokenizer.encode(to_segments(trace))
        assert len(found) == row["tokens"]
        text = to_text(to_segments(trace))
        if text.isascii() and printable(text) == text:
            assert "".join(piece.text for piece in found) == text
        assert all(piece.special == (piece.text in set(Token)) for piece in found)


def test_text_that_would_steer_a_terminal_is_defused() -> None:
    assert printable("a\x1b[2Jb\x9b\r") == "a\\x1b[2Jb\\x9b\\x0d"
    assert printable("\u202ex\ud800\u2066\u200b") == "\\u202ex\\ud800\\u2066\\u200b"
    assert printable("é 漢 🙂\n\t") == "é 漢 🙂\n\t"
    assert on_one_line("a\nb\t") == "a\\nb\\t"
