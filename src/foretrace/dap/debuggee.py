"""What is debugged: one session, and what each request does to it.

    debuggee = Debuggee(launch, client, tell)
    reply = debuggee.commands["next"](arguments)
    reply.body                          # is answered first
    reply.then()                        # the move, and the event `stopped`

An editor is answered before a move is made: it shows that something runs, and can pause it. A move that fails says so
in the console, and the session stands where it stood.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from foretrace.dap.arguments import Arguments
from foretrace.dap.breakpoints import BreakpointRequests
from foretrace.dap.client import Client
from foretrace.dap.console import Console
from foretrace.dap.frames import THREAD, Places, exception_info, stopped
from foretrace.dap.launch import Launch
from foretrace.dap.references import References
from foretrace.dap.variables import Variables
from foretrace.debug import Reason, Stop
from foretrace.debug.confidence import Confidence
from foretrace.debug.view import MAX_COUNT, visits
from foretrace.errors import ForetraceError

Body = dict[str, Any]
_TEMPERATURE = 0.8
"""At which a call is drawn anew, where the session has none."""
_SHOWN = 3
"""Values that the label of a visit names."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request is answered, and what happens then."""

    body: Body | None = None
    then: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Visit:
    """A target of a jump: the k-th visit of a line; None: the next one, which is not predicted yet."""

    line: int
    number: int | None


class Debuggee:
    """A session and its client."""

    def __init__(self, launch: Launch, client: Client, tell: Callable[[str, Body], None]) -> None:
        """Opens the session, and raises as `Launch.open` does; `tell` sends an event."""
        self.session = session = launch.open()
        self._launch, self._client, self._tell = launch, client, tell
        self._references = References()
        self._places = Places(session, client, launch.function)
        self._variables = Variables(session, client, self._references)
        self._console = Console(session, launch.run)
        self._breakpoints = BreakpointRequests(session, self._places, client, self._references)
        self.commands: dict[str, Callable[[Arguments], Reply]] = {
            **{name: partial(_answered, answer) for name, answer in self._looks().items()},
            **{name: partial(self._move, move) for name, move in self._moves().items()},
            "configurationDone": self._start,
            "continue": self._continue,
            "goto": self._goto,
            "restartFrame": self._restart_frame,
            "evaluate": self._evaluate,
            "setVariable": partial(self._set, self._variables.set_variable),
            "setExpression": partial(self._set, self._variables.set_expression),
        }
        """What answers each request."""

    def _looks(self) -> dict[str, Callable[[Arguments], Body]]:
        """Requests after which the session stands where it stood."""
        return {
            "setBreakpoints": self._breakpoints.set_lines,
            "setDataBreakpoints": self._breakpoints.set_data,
            "setExceptionBreakpoints": self._breakpoints.set_filters,
            "dataBreakpointInfo": self._breakpoints.data_info,
            "threads": lambda _: {"threads": [{"id": THREAD, "name": self._title()}]},
            "stackTrace": lambda arguments: self._places.stack_trace(arguments, self._references),
            "scopes": self._variables.scopes,
            "variables": self._variables.variables,
            "source": self._places.source_text,
            "exceptionInfo": lambda _: exception_info(self.session),
            "gotoTargets": self._goto_targets,
        }

    def _moves(self) -> dict[str, Callable[[], Stop]]:
        return {
            "next": self.session.over,
            "stepIn": self.session.step,
            "stepOut": self.session.out,
            "stepBack": self.session.back,
            "reverseContinue": lambda: self.session.run(reverse=True),
        }

    def welcome(self) -> None:
        """Says in the console what is debugged, and what it is worth."""
        session, call = self.session, self.session.tree.root.prompt.call
        invented = ", with arguments that the model invented" if session.invented else ""
        lines = [f"{call.entry}({call.arguments}), predicted by {session.predictor.name}{invented}"]
        if isinstance(session.judge, Confidence):
            lines += [f"note: {why}" for why in session.judge.outside(call.source)]
        if not self._launch.allow_run:
            lines.append("nothing is executed")
        lines.append("`help` says what this console can do\n")
        self._tell("output", {"category": "console", "output": "\n".join(lines)})

    # -- moves ----------------------------------------------------------------------------------------

    def _start(self, _: Arguments) -> Reply:
        return Reply(then=self._stopped if self._launch.stop_on_entry else lambda: self._go(self._run_from_entry))

    def _run_from_entry(self) -> None:
        """Moves look for breakpoints where they come to, and nothing comes to the entry."""
        stop = self.session.breakpoints.check(self.session.here)
        if stop is None:
            self.session.run()
        else:
            self.session.stop = stop

    def _move(self, move: Callable[[], Stop], _: Arguments) -> Reply:
        return Reply(then=lambda: self._go(move))

    def _continue(self, _: Arguments) -> Reply:
        """At the end, going on ends the editor's session; stepping back is still possible before."""
        body, stop = {"allThreadsContinued": True}, self.session.stop
        if stop.reason is Reason.END:
            return Reply(body, self._end)
        return Reply(body, lambda: self._go(self.session.run))

    def _end(self) -> None:
        self._tell("exited", {"exitCode": int(self.session.stop.detail.startswith("raises"))})
        self._tell("terminated", {})

    def _goto_targets(self, arguments: Arguments) -> Body:
        session, line = self.session, self._client.line_in(arguments.number("line"))
        if not self._places.is_ours(arguments.section("source")):
            return {"targets": []}
        here = bisect_right(session.branch.timeline.visits(line), session.position)
        rows = visits(session, line, max(here - MAX_COUNT // 2, 1))["rows"]
        targets = [(_label(row), Visit(line, row["visit"])) for row in rows]
        if session.branch.finish is None:
            targets.append(("the next visit that is not predicted yet", Visit(line, None)))
        place = {"line": arguments.number("line")}
        return {"targets": [{"id": self._references.add(what), "label": label} | place for label, what in targets]}

    def _goto(self, arguments: Arguments) -> Reply:
        visit = self._references.get(arguments.number("targetId"), Visit, "targetId")
        known = len(self.session.branch.timeline.visits(visit.line))
        return Reply(then=lambda: self._go(lambda: self.session.goto(visit.line, visit.number or known + 1)))

    def _restart_frame(self, arguments: Arguments) -> Reply:
        """Draws a call anew, from its first step on."""
        session, moment = self.session, self._variables.frame(arguments)
        at = moment.position
        while (before := moment.timeline.before(at)) is not None:
            at = before

        def restart() -> None:
            session.seek(at)
            session.sample(len(session.branches), session.branch.temperature or _TEMPERATURE)

        return Reply(then=lambda: self._go(restart, reason="restart"))

    def _go(self, move: Callable[[], object], **others: Any) -> None:
        """Makes a move, and says where it ended."""
        try:
            move()
        except ForetraceError as error:
            self._tell("output", {"category": "stderr", "output": f"{error}\n"})
            others = {"reason": "pause", "description": "it cannot go on", "text": str(error)}
        self._stopped(**others)

    def _stopped(self, **others: Any) -> None:
        self._references.renew()
        self._tell("stopped", stopped(self.session) | others)

    # -- values ---------------------------------------------------------------------------------------

    def _evaluate(self, arguments: Arguments) -> Reply:
        moment, text = self._variables.frame(arguments), arguments.text("expression")
        if arguments.text("context", "") == "repl":
            before = self._shown()
            said = self._console.run(text, moment)
            if said is not None:
                return Reply({"result": said, "variablesReference": 0}, lambda: self._refresh(before))
        return Reply(self._variables.result(moment.evaluate(text)))

    def _set(self, change: Callable[[Arguments], Body], arguments: Arguments) -> Reply:
        position = self.session.position
        return Reply(change(arguments), lambda: self._refresh_values(position))

    def _refresh_values(self, position: int) -> None:
        """Has the editor look at the values again, or at another step if a caller's value was changed."""
        if self.session.position != position:
            self._stopped()
        elif self._client.takes_invalidated:
            self._tell("invalidated", {"areas": ["variables"], "threadId": THREAD})

    def _shown(self) -> tuple[object, ...]:
        """What an editor has seen: the step, the branch, and what is real."""
        session = self.session
        return session.position, session.branch, session.tree.reality(session.branch)

    def _refresh(self, before: tuple[object, ...]) -> None:
        """Has the editor look again after a word of the console, if there is something else to be seen."""
        after = self._shown()
        if after[:2] == before[:2] and after != before and self._client.takes_invalidated:
            self._tell("invalidated", {"areas": ["all"], "threadId": THREAD})
        elif after != before:
            self._stopped()

    def _title(self) -> str:
        session = self.session
        return f"{session.tree.root.prompt.call.entry}, predicted by {session.predictor.name}: {session.branch.label}"


def _answered(answer: Callable[[Arguments], Body], arguments: Arguments) -> Reply:
    return Reply(answer(arguments))


def _label(row: dict[str, Any]) -> str:
    """A visit of a line: when, and what the line does then."""
    effects = [f"{each['name'] or 'result'}={each['after'] or 'unbound'}"[:60] for each in row["effect"][:_SHOWN]]
    return f"visit {row['visit']} (step {row['position']})" + (f": {', '.join(effects)}" if effects else "")
