"""What the verbs of the terminal debugger share: the session, where they write, and what they may do.

    desk = Desk(session, model, console, run=runner())
    desk.say("3 steps")
    with desk.predicting():
        session.run()                       # Ctrl-C pauses it

A verb is a function of a desk and of what the user wrote after it.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from rich.console import Console
from rich.text import Text

from foretrace.api.model import Model
from foretrace.debug import Session
from foretrace.engine.oracle import Real

_QUIET = 0.5
"""Seconds of predicting before progress is shown."""


@dataclass(slots=True, eq=False)
class Desk:
    """A session in front of a user."""

    session: Session
    model: Model
    console: Console
    run: Real | None
    """Runs the program for real; None: that is not allowed."""
    is_done: bool = False
    listed: tuple[int, int] = (-1, 0)
    """At which step lines were listed last, and up to which, so that `list` goes on after them."""

    def say(self, text: str | Text, style: str = "") -> None:
        """Writes a line, as long as it is: terminals break it, and pipes do not."""
        self.console.print(text, style=style, soft_wrap=True)

    @contextmanager
    def predicting(self) -> Iterator[None]:
        """Within it Ctrl-C pauses a prediction after its next step, and a slow one tells how far it is.

        Nothing is broken off elsewhere: an engine that was would not know what it has computed.
        """
        paused, shown, started = False, False, time.monotonic()

        def pause(number: int, frame: FrameType | None) -> None:
            nonlocal paused
            paused = True

        def goes_on(known: int) -> bool:
            nonlocal shown
            if sys.stderr.isatty() and time.monotonic() - started > _QUIET:
                shown = True
                print(
                    f"\r… step {known}, {self.session.spent:,} tokens (Ctrl-C pauses)", end="", file=sys.stderr, flush=True
                )
            return not paused

        before = signal.signal(signal.SIGINT, pause)
        self.session.on_step = goes_on
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            self.session.on_step = None
            if shown:
                print("\r\033[K", end="", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Verb:
    """One command of the debugger."""

    names: tuple[str, ...]
    """The short one first."""
    usage: str
    """What follows the name."""
    help: str
    act: Callable[[Desk, str], None]
    completes: Callable[[Desk], list[str]] = field(default=lambda desk: [])
    """What its first argument may be."""


def locals_of(desk: Desk) -> list[str]:
    """The names at the step that is shown."""
    return [name for name in desk.session.here.before if name]
