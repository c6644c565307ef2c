"""For everybody: enough contrast in light and dark, names on controls, and all of it without a pointer."""

from collections.abc import Iterator
from typing import Any

import pytest
from browsing import ORACLE, Page, browser, server

CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((value) => value / 255);
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const under = (element) => {
    if (!element) return [1, 1, 1, 1];
    const colour = rgba(getComputedStyle(element).backgroundColor);
    return colour[3] === 1 ? colour : over(colour, under(element.parentElement));
  };
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { parentElement: element, textContent: text } = walker.currentNode;
    if (!text.trim() || !element.checkVisibility({ visibilityProperty: true }) || element.closest(':disabled, script, style')) continue;
    const back = under(element), front = over(rgba(getComputedStyle(element).color), back);
    const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) bad.push(`${text.trim().slice(0, 30)} (${element.className || element.tagName}): ${ratio.toFixed(2)}`);
  }
  return bad;
}"""
NAMELESS = """() => [...document.querySelectorAll('button, a, input, select, [role=slider], [tabindex]')]
  .filter((each) => !(each.getAttribute('aria-label') || each.innerText?.trim() || each.labels?.length || each.title))
  .map((each) => each.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with server("--model", ORACLE) as found:
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as opened:
        yield opened


@pytest.fixture(params=["light", "dark"])
def page(chromium: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = chromium.new_context(
        viewport={"width": 1440, "height": 900}, color_scheme=request.param, reduced_motion="reduce"
    )
    context.set_default_timeout(8_000)
    page = Page(context, address)
    page.wait_for_step(5)
    yield page
    context.close()


def test_all_text_stands_out(page: Page) -> None:
    assert page.page.evaluate(CONTRAST) == []
    page.click("pin")
    page.until(lambda: page.root("branch") == "1")
    assert page.page.evaluate(CONTRAST) == []
    for key in ("?", "p", "e", "g"):
        page.press(key)
        page.until(lambda: page.at("dialog").count() == 1)
        assert page.page.evaluate(CONTRAST) == [], key
        page.press("Escape")
        page.until(lambda: page.at("dialog").count() == 0)
    page.press("s", "q", "s")
    assert page.page.evaluate(CONTRAST) == []


def test_every_control_has_a_name(page: Page) -> None:
    assert page.page.evaluate(NAMELESS) == []


def test_a_keyboard_is_enough(page: Page) -> None:
    def tab_to(name: str) -> None:
        for _ in range(120):
            page.page.keyboard.press("Tab")
            if page.page.evaluate("document.activeElement.dataset.testid") == name:
                return
        raise AssertionError(f"{name} is not reached")

    tab_to("step")
    assert page.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press("Enter")
    assert page.step == 6
    tab_to("gutter-4")
    page.press("Space")
    assert page.at("gutter-4").get_attribute("aria-pressed") == "true"
    page.press("e")
    page.until(lambda: page.page.evaluate("document.activeElement.dataset.testid") == "set-text")
    page.page.keyboard.press("Control+A")
    page.page.keyboard.type("n * 0")
    page.press("Enter")
    page.until(lambda: page.root("branch") == "1")
    page.press("?")
    page.until(lambda: page.at("dialog").count() == 1)
    page.press("Escape")
    page.until(lambda: page.at("dialog").count() == 0)


def test_nothing_moves_where_that_is_not_wanted(page: Page) -> None:
    moving = "() => document.getAnimations().length"
    page.press("s", "s")
    assert page.page.evaluate(moving) == 0
