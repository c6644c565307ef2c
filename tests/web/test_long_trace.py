"""A hundred thousand steps in a browser: only what is in sight is drawn, loops are folded, and what is far is found."""

from collections.abc import Iterator

import pytest
from browsing import Page, browser, server

from foretrace.record.program import record_program
from foretrace.trace import Limits, write_jsonl

SOURCE = """def f(n):
    i = 0
    while i < n:
        i += 1
        if i % 1000 == 0:
            mark = i
    return i
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    trace = record_program(SOURCE, "f", "33000", Limits(max_events=200_000, max_bytes=10**9, seconds=60))
    path = tmp_path_factory.mktemp("long") / "long.jsonl"
    with path.open("w") as file:
        write_jsonl(trace, file)
    with browser() as chromium, server("--model", f"replay:{path}") as address:
        opened = Page(chromium.new_context(viewport={"width": 1440, "height": 900}), address)
        yield opened
        assert opened.complaints == []


def positions(page: Page) -> list[int]:
    rows = page.at("steps").locator("[data-position]")
    found: list[int] = rows.evaluate_all("rows => rows.map((row) => Number(row.dataset.position))")
    return found


def test_loops_are_folded(page: Page) -> None:
    assert "99,038" in page.text("root")
    page.until(lambda: page.at("fold").count() > 2)
    assert "passes 3–999 of 33000, 2,991 steps" in page.at("fold").first.inner_text()


def test_only_rows_in_sight_are_drawn(page: Page) -> None:
    page.click("open-folds")
    page.at("steps").evaluate("list => { list.scrollTop = list.scrollHeight / 2 }")
    page.until(lambda: any(abs(at - 49_519) < 60 for at in positions(page)))
    assert page.at("steps").locator(".step").count() < 100
    page.at("steps").evaluate("list => { list.scrollTop = list.scrollHeight }")
    page.until(lambda: 99_037 in positions(page))


def test_a_far_value_is_found_and_shown(page: Page) -> None:
    page.click("close-folds")
    page.press("/")
    page.page.keyboard.type("mark = 32000")
    page.until(lambda: page.text("hits") == "1 found")
    page.page.keyboard.press("Enter")
    page.until(lambda: page.step > 90_000)
    assert "32000" in page.text("value-mark")
    page.until(lambda: page.step in positions(page))  # its fold is opened


def test_the_end_is_a_key_away(page: Page) -> None:
    page.at("timeline").focus()
    page.press("End")
    page.until(lambda: page.step == 99_037)
    page.press("b", "Home")
    assert page.step == 0
