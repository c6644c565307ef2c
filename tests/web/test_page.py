"""The page in a browser, on an oracle: what a user does with it from the first divergence on, by keys and by pointer."""

from collections.abc import Iterator
from typing import Any

import pytest
from browsing import ORACLE, Page, browser, server

DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with server("--model", ORACLE) as found:
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as opened:
        yield opened


@pytest.fixture
def context(chromium: Any) -> Iterator[Any]:
    made = chromium.new_context(viewport=DESKTOP, reduced_motion="reduce")
    made.set_default_timeout(8_000)
    yield made
    made.close()


@pytest.fixture
def page(context: Any, address: str) -> Iterator[Page]:
    opened = Page(context, address)
    opened.wait_for_step(5)
    yield opened
    assert opened.complaints == [], "the console is silent"


def test_it_opens_at_the_first_divergence(page: Page) -> None:
    assert (page.root("line"), page.root("verdict")) == ("4", "wrong")
    assert "token" not in page.page.url, "it is in a cookie"
    assert page.page.title() == "letters.py ▸ count_letters · foretrace"
    assert page.text("verdict").splitlines()[0] == "≠ n ⇢ 2, really 0".replace("⇢ ", "")
    assert page.text("value-n").split()[:4] == ["n", "⇢2", "≠0"] or "≠" in page.text("value-n")


def test_keys_walk_both_ways(page: Page) -> None:
    page.press("b", "b")
    assert page.step == 3
    page.press("s", "n")
    assert page.step == 5
    page.press("]")
    assert page.step == 13
    page.press("[")
    assert page.step == 5
    page.press("Home")
    assert page.step == 0
    page.press("c")
    assert page.step == 24
    assert "returns" in page.text("where")


def test_a_changed_value_is_a_branch_and_the_address_says_where_one_is(page: Page, context: Any) -> None:
    page.press("e")
    page.at("set-text").fill("0")
    page.at("set-save").click()
    page.page.wait_for_selector("[data-testid=root][data-branch='1']")
    page.settle()
    assert (page.step, page.text("branch-1").split("\n")[0]) == (5, "n=0 @5")
    assert page.root("verdict") == "right"
    for step in (6, 7, 8):
        page.press("s")
        page.wait_for_step(step)
    page.until(lambda: "step=8" in page.page.url)
    again = Page(context, page.page.url)
    again.wait_for_step(8)
    assert again.root("branch") == "1"
    assert again.text("values") == page.text("values")
    again.click("branch-0")
    assert again.root("branch") == "0"
    assert again.complaints == []


def test_another_address_in_the_same_tab_is_another_view(page: Page) -> None:
    page.page.evaluate("location.hash = location.hash.replace('step=5', 'step=9')")
    page.wait_for_step(9)
    page.page.goto(page.page.url.replace("/#", "/?quiz=1#"))
    page.until(lambda: page.at("quiz-card").count() == 1)


def test_a_value_is_pinned_to_what_is_real(page: Page) -> None:
    page.click("pin")
    page.page.wait_for_selector("[data-testid=root][data-branch='1']")
    assert page.root("verdict") == "right"


def test_where_the_mouse_rests_stands_what_else_it_could_be(page: Page) -> None:
    page.at("value-c").hover()
    page.until(lambda: page.at("glance").count() == 1 and "or" in page.text("glance").split("\n"))
    page.page.mouse.move(0, 0)
    page.until(lambda: page.at("glance").count() == 0)


def test_who_set_this(page: Page) -> None:
    page.click("who")
    page.wait_for_step(4)
    assert page.root("line") == "3", "after it, n is another"


def test_re_anchored_steps_go_wrong_by_themselves(page: Page) -> None:
    page.click("anchor")
    page.page.wait_for_selector("[data-testid=free_run][aria-pressed=false]")
    page.settle()
    page.click("free_run")
    assert page.root("branch") == "0"


def test_breakpoints_by_the_gutter(page: Page) -> None:
    page.press("Home")
    page.click("gutter-5")
    assert page.at("gutter-5").get_attribute("aria-pressed") == "true"
    page.press("c")
    assert page.root("line") == "5"
    assert "breakpoint" in page.text("where")
    page.at("gutter-4").click(button="right")
    page.at("break-condition").fill("c == 'w'")
    page.at("break-save").click()
    page.settle()
    page.press("Home", "c")
    assert page.root("line") == "4"
    assert "'w'" in page.text("value-c")
    page.click("gutter-5")
    assert page.at("gutter-5").get_attribute("aria-pressed") == "false"


def test_going_to_a_visit_of_a_line(page: Page) -> None:
    page.press("g")
    page.at("goto-line").fill("4")
    page.at("visit-3").click()
    page.settle()
    assert page.root("line") == "4"
    assert page.step == 7


def test_a_fold_opens_and_a_search_finds(page: Page) -> None:
    assert page.at("steps").locator("[data-position]").count() > 4
    page.press("/")
    page.page.keyboard.type("return")
    page.until(lambda: "found" in page.text("hits"))
    page.page.keyboard.press("Enter")
    page.wait_for_step(23)


def test_a_text_may_hold_what_javascript_takes_for_the_end_of_a_line(page: Page) -> None:
    page.at("watch").fill("'a\u2028b' + 'c'")
    page.at("watch").press("Enter")
    page.page.wait_for_selector(".watch")
    assert page.at("error").count() == 0


def test_a_watch_is_evaluated_at_each_step(page: Page) -> None:
    page.at("watch").fill("n + 1")
    page.at("watch").press("Enter")
    page.page.wait_for_selector(".watch")
    assert "".join(page.page.locator(".watch").inner_text().split()) == "n+1⇢3"


def test_the_timeline_is_a_slider(page: Page) -> None:
    slider = page.at("timeline")
    slider.focus()
    page.press("ArrowRight")
    assert page.step == 6
    box = slider.bounding_box()
    page.page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 10)
    page.settle()
    assert 11 <= page.step <= 13


def test_another_program_is_opened_and_run_for_real(page: Page) -> None:
    page.press("p")
    page.at("example-evens").click()
    page.until(lambda: "split_evens" in page.text("editor") and page.at("entry").input_value() == "split_evens")
    page.at("open-program").click()
    page.until(lambda: page.page.title().startswith("evens.py"))
    assert (page.step, page.root("verdict")) == (0, "unknown")
    page.press("s", "s")
    assert page.step == 2
    page.press("Shift+R")
    assert "10 s, 1,024 MB" in page.text("dialog")
    page.at("confirm-run").click()
    page.page.wait_for_selector("[data-testid=slips]")
    page.settle()
    assert page.root("verdict") != "unknown"


def test_errors_are_told_and_nothing_breaks(page: Page) -> None:
    page.press("e")
    page.at("set-text").fill("nonsense(")
    page.at("set-save").click()
    page.page.wait_for_selector("[data-testid=error]")
    assert page.step == 5
    page.press("s")
    assert page.step == 6
    assert page.at("error").count() == 0


def test_a_quiz_asks_before_it_shows(context: Any, address: str) -> None:
    page = Page(context, address)
    page.wait_for_step(5)
    page.press("Home", "q", "s", "s")
    assert page.step == 2
    assert page.at("values").count() == 0
    page.at("quiz-n").fill("0")
    page.at("quiz-submit").click()
    assert "really" in page.text("quiz-card")
    page.at("quiz-submit").click()
    assert page.at("values").count() == 1
    assert "quiz=1" in page.page.url
    assert page.complaints == []


def test_a_link_holds_the_whole_session(page: Page, context: Any) -> None:
    page.press("e")
    page.at("set-text").fill("7")
    page.at("set-save").click()
    page.page.wait_for_selector("[data-testid=root][data-branch='1']")
    page.settle()
    saved = page.page.evaluate(
        "import('/static/opening.js').then(async (m) => m.link({ask: async () => (await fetch('/api/sessions/' + new URLSearchParams(location.hash.slice(1)).get('s') + '/saved')).json()}))"
    )
    other = Page(context, saved)
    assert (other.root("branch"), other.step) == ("1", 5)
    assert "7" in other.text("value-n")
    assert other.complaints == []


def test_more_moves_and_other_futures(page: Page) -> None:
    page.press("m")
    page.click("back_out")
    page.until(lambda: page.step == 0)
    page.press("]", "m")
    page.click("sample")
    page.until(lambda: page.root("branch") == "1")
    assert "seed 1" in page.text("branches")
    page.press("m")
    page.click("skip-loop")
    page.page.wait_for_selector("[data-testid=error]")
    assert "is no model, and cannot skip ahead" in page.text("error")


def test_a_session_outlives_its_server(chromium: Any) -> None:
    context = chromium.new_context(viewport=DESKTOP)
    arguments = ("--model", ORACLE, "--token", "the-same")
    with server(*arguments) as address:
        port = int(address.split(":")[2].split("/")[0])
        page = Page(context, address)
        page.wait_for_step(5)
        page.press("e")
        page.at("set-text").fill("0")
        page.at("set-save").click()
        page.until(lambda: page.root("branch") == "1")
        url = page.page.url
    with server(*arguments, port=port):
        again = Page(context, url)
        assert (again.root("branch"), again.step) == ("1", 5)
        assert "the session was made again" in again.text("root")
    context.close()


def test_a_session_is_saved_as_one_file(page: Page) -> None:
    with page.page.expect_download() as saving:
        page.at("export").click()
    assert saving.value.suggested_filename == "letters-count_letters.html"


def test_it_fits_a_phone(chromium: Any, address: str) -> None:
    context = chromium.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    page = Page(context, address)
    page.wait_for_step(5)
    assert page.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.at("step").tap()
    page.wait_for_step(6)
    page.at("tab-steps").tap()
    page.settle()
    page.until(lambda: page.at("steps").locator("[aria-current=step]").count() == 1)
    assert page.complaints == []
    context.close()
