"""Reports: nothing that a score needs is missing, nothing that a model says can act, and labels do not touch."""

import re
from html import unescape
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest
from toy_benchmark import Scripted, plan, right, sums

from foretrace.errors import UsageError
from foretrace.evals.folder import Run
from foretrace.evals.published import Floor, published
from foretrace.evals.report import write_report
from foretrace.evals.report.intervals import Row, intervals
from foretrace.evals.report.labels import Box, place_labels
from foretrace.evals.report.landscape import OURS, Dot, dots_of, landscape
from foretrace.evals.report.markdown import escaped
from foretrace.evals.run import carry_out
from foretrace.evals.types import Answer, Item

HOSTILE = "</td><script>alert(1)</script> | `x` \x1b[31m\u202e = 1"


def mixed(item: Item, sample: int) -> str | Answer:
    number = item.row["number"]
    if number == 0:
        return HOSTILE
    if number == 1:
        return "I do not know"
    if number == 2:
        return Answer(text="", error="the server is down")
    if number == 3:
        return f"= {item.row['answer']}.0"
    return right(item, sample)


def run_of(folder: Path, say: Any, model: str = "scripted", **changes: Any) -> Run:
    return carry_out([plan(sums(20, **changes))], Scripted(say, model), folder)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    return [run_of(folder / "a", mixed, "first <b>"), run_of(folder / "b", right, "second")]


def test_a_page_has_all_that_stands_beside_a_score(runs: list[Run], tmp_path: Path) -> None:
    write_report(runs, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    text = re.sub(r"<[^>]+>", " ", page)
    for told in ("84.2 %", "89.5 %", "unparsable", "truncated", "broken", "floor: copy", "digits", "parity", "T 0.0"):
        assert told in text, told
    assert "1 samples could not be judged" in text
    assert "McNemar" in text
    assert "pass@1, were the broken wrong" in text
    assert "note" in page
    assert "a toy" in text


def test_a_page_needs_nothing_and_nothing_in_it_acts(runs: list[Run], tmp_path: Path) -> None:
    write_report(runs, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "default-src 'none'" in unescape(page)
    assert "<script" not in page
    assert "first <b>" not in page
    assert "&lt;script&gt;" in page, "what the model said is quoted"
    assert not re.search(r"(src|href)\s*=|url\(|@import", page)
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_markdown_has_the_same_numbers_and_nothing_acts(runs: list[Run], tmp_path: Path) -> None:
    write_report(runs, tmp_path / "report.md")
    text = (tmp_path / "report.md").read_text()
    assert "84.2 % \\[" in text
    assert "| Sums | first \\<b\\> · plain |" in text
    assert not [line for line in text.split("\n") if "<b>" in line and not line.startswith("    ")], "but in code"
    rows = [line for line in text.split("\n") if line.startswith("| ")]
    assert len(rows) > 20
    assert escaped("a|b\n<i>") == "a\\|b \\<i\\>"


def test_a_picture_is_of_what_is_published(runs: list[Run], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no numbers are published of sums"):
        write_report(runs, tmp_path / "picture.svg")
    known = run_of(tmp_path / "run", right, "qwen", name="cruxeval-o", title="CRUXEval-O")
    write_report([known], tmp_path / "picture.svg", sizes={"qwen": 8e9})
    root = ElementTree.fromstring((tmp_path / "picture.svg").read_text())
    titles = [node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any("qwen (plain): 100.0 %" in title and "8B parameters" in title for title in titles)
    assert sum("phi-1 (direct): 21.7 %" in title for title in titles) == 1


def test_what_cannot_be_written_is_said(runs: list[Run], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"an \.html, an \.md or an \.svg"):
        write_report(runs, tmp_path / "report.pdf")
    empty = Run(tmp_path, {**runs[0].content, "parts": {}})
    with pytest.raises(UsageError, match="nothing is measured yet"):
        write_report([empty], tmp_path / "report.html")


def test_an_unfinished_run_says_so(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", right)
    run.content["parts"]["sums.plain"]["ended"] = None
    write_report([run], tmp_path / "report.html")
    assert "unfinished" in (tmp_path / "report.html").read_text()


def test_a_landscape_stands_where_its_numbers_are() -> None:
    small = Dot(name="small", parameters=1e6, score=0.2, low=0.1, high=0.3, kind=OURS, style="trace")
    large = Dot(name="large", parameters=1e12, score=0.9, low=0.8, high=1.0, kind=OURS, style="direct")
    unsized = Dot(name="unsized", parameters=None, score=0.5, low=0.4, high=0.6, kind=OURS, style="cot")
    root = ElementTree.fromstring(landscape("title", [small, large, unsized], [Floor(name="floor", score=0.1)]))
    space = "{http://www.w3.org/2000/svg}"
    marks = {
        (node.find(f"{space}title").text or "").partition(" ")[0]: node  # type: ignore[union-attr]
        for node in root.iter()
        if node.get("class", "").startswith("dot") and node.find(f"{space}title") is not None
    }
    assert marks["small"].tag == f"{space}polygon"
    assert float(marks["unsized"].get("cx", 0)) > float(marks["large"].get("cx", 0)) > 700
    assert float(marks["unsized"].get("cy", 0)) > float(marks["large"].get("cy", 0))
    assert "hollow" in marks["unsized"].get("class", "")
    labels = {node.text for node in root.iter(f"{space}text")}
    assert {"small · trace", "large", "floor: 10.0 %", "size not published"} <= labels


def test_labels_touch_neither_each_other_nor_marks() -> None:
    random = Random(0)
    wanted = [(f"model {n}", random.uniform(0, 400), random.uniform(0, 250), 6.0, "others") for n in range(60)]
    marks = [Box.around(x, y, 4) for _, x, y, _, _ in wanted]
    room = Box(0, 0, 400, 250)
    placed = place_labels(wanted, marks, room)
    assert 3 < len(placed) < 60, "crowded: some are left out"
    boxes = []
    for label in placed:
        width = 6.1 * len(label.words)
        left = label.x - {"start": 0, "middle": width / 2, "end": width}[label.anchor]
        boxes.append(Box(left, label.y - 9, left + width, label.y + 1))
    for at, box in enumerate(boxes):
        assert room.holds(box)
        assert not any(box.meets(other) for other in boxes[:at])
        assert not any(box.meets(mark) for mark in marks)


def test_published_dots_have_their_sources() -> None:
    dots = dots_of(published("cruxeval-o"))
    assert all("arXiv" in dot.about for dot in dots)
    assert {dot.shape for dot in dots} == {"direct", "thought", "trace"}


def test_intervals_are_as_long_as_they_are() -> None:
    root = ElementTree.fromstring(intervals([Row("a", 0.5, 0.25, 0.75), Row("b", 0.5, 0.5, 0.5)]))
    wide, narrow = (float(node.get("width", 0)) for node in root.iter("rect"))
    ticks = [
        float(node.get("x", 0))
        for node in root.iter("text")
        if (node.text or "").endswith(" %") and "[" not in (node.text or "")
    ]
    assert wide == pytest.approx((ticks[-1] - ticks[0]) / 2, abs=1)
    assert narrow == 1
