"""What an editor's launch configuration says, and the session that it opens.

    launch = Launch.read(arguments, access)
    session = launch.open()

Nothing is executed unless the configuration says `"allowRun": true`, and whoever started this server lets clients do
so.
"""

import hmac
import os
from dataclasses import dataclass, field
from pathlib import Path

from foretrace.dap.arguments import Arguments
from foretrace.debug import Session, Settings, open_session
from foretrace.debug.confidence import confidence_of
from foretrace.engine import Prompt, ReplayPredictor, load_predictor
from foretrace.errors import ForetraceError, RefusedError, UsageError
from foretrace.record import read_target, record_source
from foretrace.trace import Trace


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """What a client of this server may do."""

    token: str = ""
    """What it must know; empty: nothing."""
    may_run: bool = True
    """Whether it can be allowed to run programs."""

    def check(self, arguments: Arguments) -> None:
        """Refuses a client that does not know the token.

        Raises:
            RefusedError: it gave another one, or none.

        """
        shown = arguments.text("token", "").encode("utf-8", "replace")  # JSON has characters that UTF-8 lacks
        if self.token and not hmac.compare_digest(self.token.encode(), shown):
            raise RefusedError('this server was started with a token; say "token": "…" in launch.json')


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """A launch configuration; the names are those of launch.json in snake case."""

    program: str
    """A file of Python source."""
    function: str
    """The one to debug."""
    args: str | None = None
    """The text of its argument list; None: the model invents them."""
    model: str = "tiny"
    settings: Settings = field(default_factory=Settings)
    stop_on_entry: bool = True
    allow_run: bool = False
    """Whether the program may be run, by `real` in the console."""
    run_at_start: bool = False
    """Run it at once, so that what is real is known from the first step."""
    trace: str = ""
    """A file with a recorded trace of the call: what is real, without running."""

    @classmethod
    def read(cls, arguments: Arguments, access: Access) -> "Launch":
        """From the arguments of a request.

        Raises:
            UsageError: one is missing, or is not what it must be.
            RefusedError: the token is wrong, or running is asked for and not allowed.

        """
        access.check(arguments)
        launch = cls(
            program=arguments.text("program"),
            function=arguments.text("function"),
            args=arguments.text("args") if "args" in arguments else None,
            model=arguments.text("model", "tiny"),
            settings=Settings(
                budget=arguments.number("budget", Settings().budget),
                temperature=arguments.real("temperature", 0.0),
                seed=arguments.number("seed", 0),
                grammar=arguments.flag("grammar"),
            ),
            stop_on_entry=arguments.flag("stopOnEntry", True),
            allow_run=arguments.flag("allowRun"),
            run_at_start=arguments.flag("runAtStart"),
            trace=arguments.text("trace", ""),
        )
        if launch.allow_run and not access.may_run:
            raise RefusedError(
                "allowRun is refused: anybody on this machine can connect to this port. "
                "Start the server with --token, or have the editor start it without a port"
            )
        if launch.run_at_start and launch.trace:
            raise UsageError("runAtStart and trace both say what is real; give one of them")
        return launch

    def open(self) -> Session:
        """The session, with what is real if that is to be known from the start.

        Raises:
            ForetraceError: there is no such program, function, model or trace, the arguments do not bind, or what is to
                be run may not, or cannot, be run.

        """
        try:
            source, _, path = read_target(f"{self.program}::{self.function}")
        except ForetraceError:
            raise
        except ValueError as error:  # a null character, or one that UTF-8 lacks
            raise UsageError(f"{self.program!r} is no path that a file can have") from error
        session = open_session(
            load_predictor(self.model, real=self.run if self.allow_run else None),
            source,
            self.function,
            self.args,
            settings=self.settings,
            path=os.path.abspath(path),
            judge=confidence_of(self.model),
        )
        if self.trace:
            session.attach(ReplayPredictor.load(Path(self.trace)).trace)
        if self.run_at_start:
            session.run_for_real(self.run)
        return session

    def run(self, prompt: Prompt) -> Trace:
        """Runs a call in a limited child process.

        Raises:
            RefusedError: the configuration does not allow it.

        """
        if not self.allow_run:
            raise RefusedError('running is off; say "allowRun": true in launch.json. Prediction works without')
        return record_source(prompt.call.source, prompt.call.entry, prompt.call.arguments, path=self.program)
