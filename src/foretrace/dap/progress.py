"""What an editor shows of a request that takes long: a bar, how far it is, and a button that cancels it.

progress = Progress(tell, request, "predicting", cancellable=True)
progress.update("step 41", 0.2)         # starts at the first update
progress.end()
"""

from collections.abc import Callable
from time import monotonic
from typing import Any

from foretrace.dap.protocol import Request

_SECONDS = 0.1
"""Between two updates: editors draw each."""


class Progress:
    """Of one request."""

    def __init__(
        self, tell: Callable[[str, dict[str, Any]], None], request: Request, title: str, *, cancellable: bool
    ) -> None:
        """`tell` sends an event."""
        self.id = str(request.number)
        """What a client cancels it by."""
        self._tell = tell
        self._about = {"title": title, "requestId": request.seq, "cancellable": cancellable}
        self._told: float | None = None
        """When something was told last."""

    def update(self, message: str, share: float | None = None) -> None:
        """How far it is; `share` of 1 is all."""
        body: dict[str, Any] = {"progressId": self.id, "message": message}
        if share is not None:
            body["percentage"] = round(100 * min(share, 1.0))
        if self._told is None:
            self._tell("progressStart", body | self._about)
            self._told = 0.0
        elif monotonic() - self._told >= _SECONDS:
            self._tell("progressUpdate", body)
            self._told = monotonic()

    def end(self) -> None:
        """It is over, if it ever began."""
        if self._told is not None:
            self._tell("progressEnd", {"progressId": self.id})
            self._told = None
