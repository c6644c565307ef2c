"""Makes the pictures of the web page in docs/media, on the packaged model: `make media`.

On Debian: apt-get install chromium fonts-inter fonts-jetbrains-mono. With other fonts the pictures differ, and are as true.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MEDIA = ROOT / "docs" / "media"
sys.path.insert(0, str(ROOT / "tests" / "web"))

from browsing import Page, browser, server  # noqa: E402

DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
FIRST = 4
"""The step of the bundled example at which the packaged model first goes wrong."""


def nothing(page: Page) -> None:
    """The page as it opens."""


def branch(page: Page) -> None:
    """The wrong value is set right; what follows is predicted on a branch of its own."""
    page.click("pin")
    page.until(lambda: page.root("branch") == "1")
    page.press("]")


def anchor(page: Page) -> None:
    """Each step is predicted from the real ones before it."""
    page.click("anchor")
    page.until(lambda: page.at("anchor").get_attribute("aria-pressed") == "true")


def steps(page: Page) -> None:
    """A phone shows the list of steps instead of the source."""
    page.click("tab-steps")


PICTURES: list[tuple[str, dict[str, int], Callable[[Page], None]]] = [
    ("debugger", DESKTOP, nothing),
    ("branches", DESKTOP, branch),
    ("re-anchored", DESKTOP, anchor),
    ("phone", PHONE, nothing),
    ("phone-steps", PHONE, steps),
]


def picture(
    chromium: Any, address: str, name: str, size: dict[str, int], scheme: str, scene: Callable[[Page], None]
) -> None:
    """One picture, in light or dark."""
    is_phone = size is PHONE
    context = chromium.new_context(
        viewport=size,
        color_scheme=scheme,
        device_scale_factor=2 if is_phone else 1,
        has_touch=is_phone,
        is_mobile=is_phone,
        reduced_motion="reduce",
    )
    page = Page(context, address)
    page.wait_for_step(FIRST)
    page.until(lambda: page.at("alternatives").count() > 0)
    scene(page)
    page.page.mouse.move(0, 0)
    page.page.evaluate("document.activeElement.blur()")
    page.page.wait_for_timeout(400)  # what is asked lazily
    assert not page.complaints, page.complaints
    page.page.screenshot(path=MEDIA / f"{name}-{scheme}.png")
    context.close()


def main() -> None:
    """All of them, and the example as a file that anybody can open."""
    from foretrace.cli.web_site import Asked, write_export
    from foretrace.web.running import Running

    MEDIA.mkdir(parents=True, exist_ok=True)
    with browser() as chromium, server() as address:
        for name, size, scene in PICTURES:
            for scheme in ("light", "dark"):
                picture(chromium, address, name, size, scheme, scene)
    write_export(Asked(), Running(), MEDIA / "debugger.html")
    for file in sorted(MEDIA.iterdir()):
        print(f"{file.relative_to(ROOT)}  {file.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    main()
