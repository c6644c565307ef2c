"""What a client said of itself when it came: how it counts, and what it can show.

client = Client.read(arguments)         # of `initialize`
client.line_out(4)                      # 4; 3 for one that counts from 0
"""

from dataclasses import dataclass

from foretrace.dap.arguments import Arguments
from foretrace.errors import UsageError


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """What a client said of itself."""

    lines_from: int = 1
    """The number of the first line."""
    reports_progress: bool = False
    shows_types: bool = False
    takes_invalidated: bool = False

    @classmethod
    def read(cls, arguments: Arguments) -> "Client":
        """From the arguments of `initialize`."""
        if arguments.text("pathFormat", "path") != "path":
            raise UsageError("paths are exchanged as paths here, not as URIs; set pathFormat to 'path'")
        return cls(
            lines_from=int(arguments.flag("linesStartAt1", True)),
            reports_progress=arguments.flag("supportsProgressReporting"),
            shows_types=arguments.flag("supportsVariableType"),
            takes_invalidated=arguments.flag("supportsInvalidatedEvent"),
        )

    def line_out(self, line: int) -> int:
        """A line of ours, from 1, as the client counts."""
        return line - 1 + self.lines_from

    def line_in(self, line: int) -> int:
        """A line of the client's, from 1."""
        return line + 1 - self.lines_from
