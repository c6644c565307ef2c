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


def arm(limits: Limits, ring: Callable[[str], None]) -> None:
    """Calls `ring("time")` or `ring("cpu")` when that budget has run out; in the main thread only."""
    seconds = {"time": limits.seconds, "cpu": limits.cpu_seconds}
    for number, timer, name in _ALARMS:
        signal.signal(number, lambda *_, name=name: ring(name))
        signal.setitimer(timer, seconds[name], _AGAIN)


def disarm() -> None:
    """Ends all alarms. One that rings just now may interrupt this once, not twice."""
    for _ in range(2):
        try:
            for number, timer, _name in _ALARMS:
                signal.setitimer(timer, 0)
                signal.signal(number, signal.SIG_DFL)
            return
        except Stop:
            continue
