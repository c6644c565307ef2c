"""A session as one file: what is in it, and that a browser shows it from a disk with the network shut."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Page, browser

from foretrace.debug import Session, open_session
from foretrace.engine import load_predictor
from foretrace.errors import UsageError
from foretrace.web.arguments import Arguments
from foretrace.web.export import MODULES, _module, export_html, file_name
from foretrace.web.opening import Opener
from foretrace.web.running import Running
from foretrace.web.verbs import act


def session() -> Session:
    """The example at its first divergence, on an oracle, with a branch on which `n` is right."""
    running = Running()
    predictor = load_predictor("oracle:err=0.08,seed=5,kinds=value", real=running.run)
    made = Opener(predictor=predictor).example()
    act(made, "look", Arguments({}), running)
    made.pin("n")
    act(made, "ahead", Arguments({}), running)
    made.select(0)
    return made


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "letters.html"
    path.write_text(export_html(session()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def context() -> Iterator[Any]:
    with browser() as chromium:
        made = chromium.new_context(offline=True, viewport={"width": 1280, "height": 800})
        made.set_default_timeout(8_000)
        yield made


def test_it_names_nothing_outside(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)=["'](?!data:)[^"'#]""", text)
    assert "default-src 'none'" in text
    assert "<title>letters.py ▸ count_letters · foretrace</title>" in text
    assert file_name(session()) == "letters-count_letters.html"


def test_a_file_has_a_name_whatever_the_program_is_called() -> None:
    source = "def zähle(x):\n    return x\n"
    called = {path: open_session(load_predictor("tiny"), source, "zähle", "1", path=path) for path in ("é.py", '"\n.py')}
    assert [file_name(each) for each in called.values()] == ["z-hle.html", "z-hle.html"]
    nameless = open_session(load_predictor("tiny"), "def é(x):\n    return x\n", "é", "1", path="é.py")
    assert file_name(nameless) == "session.html"


def test_its_modules_import_only_what_is_in_it() -> None:
    known = {f"foretrace/{name}" for name in MODULES}
    for name in MODULES:
        imported = re.findall(r"""^(?:import|export) .*?from ["'](.*?)["']""", _module(name), re.MULTILINE)
        assert set(imported) <= known, name


def test_too_many_steps_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretrace.web.export.MAX_STEPS", 10)
    with pytest.raises(UsageError, match="this branch has 25 steps, and one file holds 10"):
        export_html(session())


def test_it_opens_from_a_disk_and_can_be_walked_through(file: Path, context: Any) -> None:
    page = Page(context, file.as_uri())
    assert (page.step, page.root("line"), page.root("verdict")) == (5, "4", "wrong")
    page.press("b", "n", "]")
    assert page.step == 13
    page.press("Home", "c")
    assert page.step == 24
    page.press("[", "[")
    page.click("branch-1")
    assert (page.root("branch"), page.step, page.root("verdict")) == ("1", 5, "right")
    page.press("/")
    page.page.keyboard.type("return")
    page.until(lambda: "found" in page.text("hits"))
    page.page.keyboard.press("Enter")
    page.wait_for_step(23)
    assert page.at("run_for_real").count() == page.at("edit").count() == 0, "a file runs and changes nothing"
    assert all(url.startswith(("file:", "data:", "blob:")) for url in page.requests)
    assert page.complaints == []
