"""Running a program for real: whether it may and can be, and in what limits.

    running = Running(allowed=True, limits=Limits(seconds=5))
    running.obstacle(source)                # '', or why not
    session.run_for_real(running.run)

The page asks each time; nothing is run otherwise. What runs, runs in a sandboxed child process.
"""

from dataclasses import dataclass, field

from foretrace.debug.imports import missing_modules
from foretrace.engine import Prompt
from foretrace.errors import RefusedError
from foretrace.record import record_source
from foretrace.trace import Limits, Trace


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """What a server may run."""

    allowed: bool = True
    limits: Limits = field(default_factory=Limits)

    @property
    def terms(self) -> str:
        """Its limits, for people."""
        return f"{self.limits.seconds:g} s, {self.limits.memory_mb:,} MB, {self.limits.max_events:,} steps"

    def obstacle(self, source: str) -> str:
        """Why a program cannot be run here; empty if it can."""
        if not self.allowed:
            return (
                "running code is off: this server was started with --no-run, or is open to the network."
                " Start it with --allow-run to permit it"
            )
        missing = missing_modules(source, everywhere=False)
        return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed here" if missing else ""

    def run(self, prompt: Prompt) -> Trace:
        """Runs a call and records it.

        Raises:
            RefusedError: running is off.
            RecordError, SandboxError: see `record_source`.

        """
        if not self.allowed:
            raise RefusedError(self.obstacle(""))
        call = prompt.call
        return record_source(call.source, call.entry, call.arguments, limits=self.limits)
