"""Budgets of time: an alarm that rings in the program, again and again in case a handler swallowed it."""

import signal
from collections.abc import Callable
from typing import Literal

from foretrace.trace import Limits

WhenFull = Literal["raise", "exit", "mute"]
_AGAIN = 0.05
_ALARMS = ((signal.SIGALRM, signal.ITIMER_REAL, "time"), (signal.SIGPROF, signal.ITIMER_PROF, "cpu"))


class Stop(BaseException):
    """A budget ran out."""


class Alarms:
    """Two clocks that ring in the main thread: one of the wall, one of the processor. Installed until `remove`."""

    def __init__(self) -> None:
        self.ring: Callable[[str], None] = lambda which: None
        """Called with `time` or `cpu` when that budget has run out, again and again."""
        for number, _timer, name in _ALARMS:
            signal.signal(number, lambda *_, name=name: self.ring(name))

    def start(self, limits: Limits) -> None:
        """Starts both clocks."""
        for (_number, timer, _name), seconds in zip(_ALARMS, (limits.seconds, limits.cpu_seconds), strict=True):
            signal.setitimer(timer, seconds, _AGAIN)

    def stop(self) -> None:
        """Stops both. One that rings just now may interrupt this once, not twice."""
        for _ in range(2):
            try:
                for _number, timer, _name in _ALARMS:
                    signal.setitimer(timer, 0)
                return
            except Stop:
                continue

    def remove(self) -> None:
        """Stops both for good."""
        self.stop()
        for number, _timer, _name in _ALARMS:
            signal.signal(number, signal.SIG_DFL)
