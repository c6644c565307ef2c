"""`foretrace debug` in a terminal of its own: prompt, line editing, completion, history, Ctrl-C, colour."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("readline")
PROMPT = "(foretrace) "
LETTERS = """def count_letters(s, letter):
    n = 0
    for c in s:
        n += int(c == letter)
    return n


def f(c):
    word = "berry"
    num = count_letters(word, c)
    return f"Found {num:04d}"
"""


class Terminal:
    """A program in a pseudo-terminal, and what it has written."""

    def __init__(self, command: list[str], folder: Path, **variables: str) -> None:
        self.end, other = pty.openpty()
        self.unread = b""
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "xterm", "LC_ALL": "C.UTF-8", "COLUMNS": "100",
            "OMP_NUM_THREADS": "1", **variables,
        }  # fmt: skip
        self.process = subprocess.Popen(command, cwd=folder, env=environment, preexec_fn=lambda: os.login_tty(other))
        os.close(other)

    def until(self, text: str, seconds: float = 20) -> str:
        """What is written up to and with a text, without the codes that move the cursor; what follows is kept."""
        ends = time.monotonic() + seconds
        while text not in (plain := re.sub(r"\x1b\[\?\d+[hl]|\x07|\r", "", self.unread.decode(errors="replace"))):
            ready, _, _ = select.select([self.end], [], [], max(ends - time.monotonic(), 0))
            assert ready, f"{text!r} did not come; what came: {plain!r}"
            try:
                self.unread += os.read(self.end, 4096)
            except OSError as error:  # the program has ended
                raise AssertionError(f"{text!r} did not come; what came: {plain!r}") from error
        before, _, after = plain.partition(text)
        self.unread = after.encode()
        return before + text

    def type(self, text: str) -> None:
        os.write(self.end, text.encode())

    def ask(self, line: str) -> str:
        """What a command answers."""
        self.type(f"{line}\n")
        return self.until(PROMPT).removeprefix(line).strip().removesuffix(PROMPT.strip()).strip()

    def left(self) -> int:
        """The exit code."""
        return self.process.wait(20)


@contextmanager
def debugger(folder: Path, *options: str, **variables: str) -> Iterator[Terminal]:
    command = [sys.executable, "-m", "foretrace", "debug", "letters.py::f", "--args", "c='r'", "--model", "oracle:err=0"]
    terminal = Terminal([*command, *options], folder, **({"NO_COLOR": "1"} | variables))
    try:
        yield terminal
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.end)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "letters.py").write_text(LETTERS)
    return tmp_path


def test_a_session_in_a_terminal(folder: Path) -> None:
    with debugger(folder) as terminal:
        assert "> letters.py(8)f()  step 0" in terminal.until(PROMPT)
        assert "step 1" in terminal.ask("s")
        assert "step 2" in terminal.ask("")  # repeats
        assert "step 10 · visit 3" in terminal.ask("g 4 3")
        assert "end: returns 'Found 0002'" in terminal.ask("c")
        assert "step 18" in terminal.ask("b")
        assert "branch 1: num=7 @18" in terminal.ask("set num = 7")
        assert "*** no command 'nonsense'" in terminal.ask("nonsense")
        terminal.type("q\n")
        assert terminal.left() == 0


def test_tab_completes_commands_and_names(folder: Path) -> None:
    with debugger(folder) as terminal:
        terminal.until(PROMPT)
        terminal.ask("g 4 3")
        terminal.type("p let\t == c\n")
        assert "⇢ True" in terminal.until("⇢ True")
        terminal.until(PROMPT)
        terminal.type("branc\t\t\t")
        shown = terminal.until("branches")
        assert "branch" in shown
        terminal.type("\x15q\n")  # Ctrl-U: the line is taken back
        assert terminal.left() == 0


def test_history_is_kept_from_one_session_to_the_next(folder: Path) -> None:
    with debugger(folder) as terminal:
        terminal.until(PROMPT)
        terminal.ask("p c + '!'")
        terminal.type("q\n")
        assert terminal.left() == 0
    assert "p c + '!'" in (folder / ".local/state/foretrace/debug_history").read_text()
    with debugger(folder) as terminal:
        terminal.until(PROMPT)
        terminal.type("\x1b[A\x1b[A\n")  # up: `q`, then the line before
        terminal.until("⇢ 'r!'")
        terminal.until(PROMPT)
        terminal.type("\x04")  # Ctrl-D
        assert terminal.left() == 0


def test_a_home_that_cannot_be_written_to(folder: Path) -> None:
    (folder / "state").write_text("a file, and no folder")
    with debugger(folder, XDG_STATE_HOME=str(folder / "state")) as terminal:
        terminal.until(PROMPT)
        terminal.type("q\n")
        assert terminal.left() == 0


def test_ctrl_c_at_the_prompt_only_drops_the_line(folder: Path) -> None:
    with debugger(folder) as terminal:
        terminal.until(PROMPT)
        terminal.type("s")
        terminal.until("s")  # the line is being edited
        terminal.type("\x03\n")  # a new line wakes a readline that was about to wait as the signal came
        terminal.type("s\n")
        assert "step 2" not in terminal.until("step 1")


def test_ctrl_c_pauses_a_prediction(folder: Path) -> None:
    (folder / "letters.py").write_text("def f(c):\n    n = 0\n    while n < 10 ** 9:\n        n += 1\n    return n\n")
    options = ("--max-events", "300000", "--budget", "100000000", "--memory", "4096", "--seconds", "60")
    with debugger(folder, *options) as terminal:
        terminal.until(PROMPT)
        terminal.ask("s")  # by now the program has run, for the oracle
        terminal.type("c\n")
        terminal.until("(Ctrl-C pauses)")
        os.kill(terminal.process.pid, signal.SIGINT)
        assert "pause" in terminal.until(PROMPT)
        assert "step" in terminal.ask("s")


def test_colour_honours_no_color(folder: Path) -> None:
    with debugger(folder, NO_COLOR="") as terminal:
        terminal.until(PROMPT)
        assert "\x1b[3m" in terminal.ask("s 2")  # what is predicted is italic
    with debugger(folder) as terminal:
        terminal.until(PROMPT)
        answer = terminal.ask("s 2")
        assert "\x1b[3" not in answer.replace("\x1b[3m", "")
