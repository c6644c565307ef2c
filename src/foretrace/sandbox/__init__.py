"""Where untrusted code runs: one interface, several backends, named in what comes out of it."""

from foretrace.sandbox.backend import Backend, Sandbox, backends
from foretrace.sandbox.server import CHANNEL, TAIL
from foretrace.sandbox.types import Result, SandboxLimits, Status

__all__ = ["CHANNEL", "TAIL", "Backend", "Result", "Sandbox", "SandboxLimits", "Status", "backends"]
