"""A real server and a real browser, for tests of the page: `foretrace web` in a process of its own, Debian's chromium."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
ORACLE = "oracle:err=0.08,seed=5,kinds=value"
"""Of the bundled example it tells `n` wrongly at step 5, and once more at step 13."""


@contextmanager
def server(*arguments: str, port: int = 0) -> Iterator[str]:
    """The address, with its token, of `foretrace web` with these arguments."""
    command = [sys.executable, "-m", "foretrace", "web", "--no-browser", "--port", str(port), *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            address = process.stderr.readline().strip()
            assert address.startswith("http://127.0.0.1:"), address + process.stderr.read()
            yield address
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def browser() -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("there is no chromium; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


_DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"


class Page:
    """A page that remembers what its console complained of, and what it asked the network for."""

    def __init__(self, context: Any, address: str) -> None:
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)
        self.settle()

    def settle(self) -> None:
        """Waits until nothing is under way: what was pressed has been heard, answered and drawn."""
        self.page.evaluate(_DRAWN)
        self.page.wait_for_selector("[data-testid=root][data-busy=false]")
        self.page.wait_for_load_state("networkidle")
        self.page.evaluate(_DRAWN)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.settle()

    def click(self, name: str) -> None:
        self.page.get_by_test_id(name).click()
        self.settle()

    def at(self, name: str) -> Any:
        return self.page.get_by_test_id(name)

    def text(self, name: str) -> str:
        return str(self.at(name).inner_text())

    @property
    def step(self) -> int:
        return int(self.root("step"))

    def root(self, name: str) -> str:
        return str(self.page.get_by_test_id("root").get_attribute(f"data-{name}"))

    def until(self, holds: Callable[[], bool]) -> None:
        """Waits for something that the page shows; its policy forbids Playwright's own way, which evaluates texts."""
        for _ in range(160):
            if holds():
                return self.settle()
            self.page.wait_for_timeout(50)
        raise AssertionError("it did not come to that")

    def wait_for_step(self, step: int) -> None:
        self.page.wait_for_selector(f"[data-testid=root][data-step='{step}']")
        self.settle()
