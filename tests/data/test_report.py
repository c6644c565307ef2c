"""The page about a dataset: well-formed, without anything that could run, whatever the dataset holds."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")

from dataset_rows import drop, row_of
from foretrace.cli.effects import effects
from foretrace.data.dataset import open_dataset
from foretrace.data.describe import describe
from foretrace.data.markup import Markup, join, tag
from foretrace.data.plots import funnel, histogram, stacked
from foretrace.data.report import report
from foretrace.record.program import record_program

Row = dict[str, Any]
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\x1b[31m\u202e"
ELEMENTS = """
    html head meta title style body main div h1 h2 h3 p b i span svg g line rect text polygon table tr th td code pre details
    summary footer
"""
ALLOWED = set(ELEMENTS.split())


class Page(HTMLParser):
    """Checks that elements are closed in order; collects elements, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text += data + " "


def page_of(folder: Path) -> tuple[str, Page]:
    dataset = open_dataset(folder)
    text = report(dataset, describe(dataset), effects)
    return text, Page(text)


def assert_harmless(text: str, page: Page) -> None:
    assert set(page.elements) <= ALLOWED
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href", "action", "style")]
    assert "url(" not in text
    assert "@import" not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    text.encode()


def test_the_page_says_what_describe_says(dataset_folder: Path, rows: list[Row]) -> None:
    text, page = page_of(dataset_folder)
    assert_harmless(text, page)
    assert text.startswith("<!doctype html>")
    found = describe(open_dataset(dataset_folder))
    for number in (found.traces, found.subjects, found.lengths["characters"].quantile(1)):
        assert f"{number:,.0f}" in page.text
    for name in [*found.by_licence, *found.exceptions, *found.value_types, "toolz 1.0.0", "impure"]:
        assert name in page.text
    for heading in ("Lengths", "Sources", "Execution", "Contents", "What was dropped", "Examples", "How it was made"):
        assert heading in page.text
    assert page.elements.count("pre") == 4  # three sources and the manifest
    assert "10,000" in page.text  # of the manifest
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    assert "prefers-color-scheme: dark" in text


def test_it_is_the_same_for_the_same_dataset(dataset_folder: Path) -> None:
    assert page_of(dataset_folder)[0] == page_of(dataset_folder)[0]


def test_bars_of_a_histogram_hold_all_traces(dataset_folder: Path, rows: list[Row]) -> None:
    text, _ = page_of(dataset_folder)
    counts = [int(n.replace(",", "")) for n in re.findall(r"<title>[^<]* to [^<]*: ([\d,]+) traces</title>", text)]
    assert sum(counts) == 3 * len(rows)  # events, tokens, coverage


def test_hostile_text_is_only_text(make_dataset: Callable[..., Path]) -> None:
    source = f"def f(x):\n    '''{HOSTILE.replace(chr(39), '')}'''\n    return x\n"
    trace = record_program(source, "f", repr(HOSTILE))
    hostile = dict.fromkeys(("name", "path", "licence", "kind", "entry", "arguments", "value"), HOSTILE)
    lists = {"constructs": [HOSTILE], "value_types": [HOSTILE], "outcome": "raised"}
    rows = [row_of(source, "f", "1", trace) | hostile | lists]
    drops = [drop(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, name=HOSTILE)]
    text, page = page_of(make_dataset(rows, drops, {HOSTILE: HOSTILE, "x": {HOSTILE: [HOSTILE]}}, parts=1))
    assert_harmless(text, page)
    assert page.text.count("<script>alert(1)</script>") > 8
    assert "\\x1b[31m\\u202e" in page.text


def test_an_empty_dataset_has_a_page(make_dataset: Callable[..., Path]) -> None:
    text, page = page_of(make_dataset([], [], {}, parts=1))
    assert_harmless(text, page)
    assert "Lengths" not in page.text
    assert "What was dropped" not in page.text


def test_nothing_kept_shows_what_was_dropped(make_dataset: Callable[..., Path]) -> None:
    _, page = page_of(make_dataset([], [drop("f", "record", "time")], {}, parts=1))
    assert "What was dropped" in page.text
    assert "100.0%" in page.text


def test_a_damaged_trace_says_so(make_dataset: Callable[..., Path], rows: list[Row]) -> None:
    _, page = page_of(make_dataset([rows[0] | {"trace": b"junk"}, rows[1] | {"trace": None}], [], parts=1))
    assert page.text.count("is damaged") == 2


def test_a_long_trace_is_folded(make_dataset: Callable[..., Path]) -> None:
    source = (
        "def f(n):\n"
        + "".join(f"    # {i}\n" for i in range(80))
        + "    for i in range(n):\n        pass\n    return 'x' * 999\n"
    )
    trace = record_program(source, "f", "200")
    _, page = page_of(make_dataset([row_of(source, "f", "200", trace)], [], parts=1))
    assert f"({len(trace) - 40:,} steps)" in page.text
    assert "more lines" in page.text


# -- pieces ------------------------------------------------------------------------------------------


def test_only_markup_is_not_escaped() -> None:
    made = tag("p", "1 < 2", tag("b", "&"), class_='"x"', title=None)
    assert made == '<p class="&quot;x&quot;">1 &lt; 2<b>&amp;</b></p>'
    assert isinstance(join("a", made), Markup)
    assert not isinstance(str(made) + "<i>", Markup)


@pytest.mark.parametrize("counts", [[0, 0], [1, 0], [10**9, 3]])
def test_histograms_of_anything(counts: list[int]) -> None:
    drawn = histogram([1, 10, 100], counts, median=5)
    assert drawn.count("<title>") == sum(map(bool, counts))
    assert "nan" not in drawn


def test_parts_of_nothing() -> None:
    assert "0.0%" in stacked([("a", 0, "k0")])
    assert "nan" not in funnel([("tried", 0, 0), ("record", 0, 0)], 0)
