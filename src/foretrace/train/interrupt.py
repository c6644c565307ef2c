"""Being asked to stop: a scheduler's SIGTERM or a Ctrl-C lets the step in progress end first."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def asked_to_stop() -> Iterator[list[str]]:
    """While it lasts, the names of the signals that have asked this process to end.

    A second Ctrl-C ends it at once. Outside the main thread signals are somebody else's, and the list stays empty.
    """
    asked: list[str] = []

    def note(number: int, _frame: object) -> None:
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.append(signal.Signals(number).name)

    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    except ValueError:
        yield asked
        return
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
