"""The neural debugger: a session that predicts, compares, branches, and says how sure it is."""

from foretrace.debug.branch import Branch, Change, Kind
from foretrace.debug.breakpoints import Breakpoint, Breakpoints, DataBreakpoint, Filters
from foretrace.debug.expressions import Expression
from foretrace.debug.moment import Moment
from foretrace.debug.reality import Comparison, Verdict
from foretrace.debug.session import Session, open_session
from foretrace.debug.storage import load_session, save_session
from foretrace.debug.timeline import Timeline
from foretrace.debug.tree import Meeting
from foretrace.debug.types import Judge, Reason, Settings, Stop

__all__ = [
    "Branch",
    "Breakpoint",
    "Breakpoints",
    "Change",
    "Comparison",
    "DataBreakpoint",
    "Expression",
    "Filters",
    "Judge",
    "Kind",
    "Meeting",
    "Moment",
    "Reason",
    "Session",
    "Settings",
    "Stop",
    "Timeline",
    "Verdict",
    "load_session",
    "open_session",
    "save_session",
]
