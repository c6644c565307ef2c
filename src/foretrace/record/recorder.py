"""Recording a block of code, in this process.

with Recorder(Scope(include=("src/",))) as recorder:
    main()
for trace in recorder.traces: ...
"""

import os
from pathlib import Path
from typing import IO, Self

from foretrace.errors import UsageError
from foretrace.record.budget import WhenFull
from foretrace.record.scope import Scope
from foretrace.record.session import Format, Session, open_session
from foretrace.record.sink import TAIL_BYTES, tail_of
from foretrace.record.values import ValueLimits
from foretrace.trace import Limits, Trace, read_binary


class Recorder:
    """Records every outermost call that this thread makes into code in scope, each as a trace."""

    def __init__(
        self,
        scope: Scope | None = None,
        *,
        limits: Limits | None = None,
        value_limits: ValueLimits | None = None,
        output: str | os.PathLike[str] | None = None,
        form: Format = "binary",
        native: bool | None = None,
        when_full: WhenFull = "mute",
    ) -> None:
        """Makes a recorder for one `with` block.

        Args:
            limits: the budgets of one trace; those of time are not kept here.
            value_limits: how much of a value is shown.
            output: a file to write to, or else memory. Until the block ends the file has a companion, `NAME.tail`, from
                which `read_output` restores what a crash interrupted.
            form: `binary`, or `wire`: the text that a model reads, one document after the other.
            native: use the recorder in C, or not; by default if it was built.
            when_full: what happens when a budget runs out; see `ReferenceRecorder`.

        """
        self.scope, self.limits, self.value_limits = scope or Scope(), limits or Limits(), value_limits
        self.form: Format = form
        self._native, self._when_full = native, when_full
        self.path = Path(output).absolute() if output is not None else None
        """Of the output, wherever the program goes."""
        self._process = os.getpid()
        self._memory = bytearray()
        self._files: list[IO[bytes]] = []
        self._session: Session | None = None

    def __enter__(self) -> Self:
        output, tail = self._open()
        try:
            self._session = open_session(
                self.scope.reader(),
                self.limits,
                form=self.form,
                output=output,
                tail=tail,
                many=True,
                depth=self.scope.depth,
                step_in=self.scope.step_in,
                seed=self.scope.seed,
                when_full=self._when_full,
                value_limits=self.value_limits,
                native=self._native,
            )
            self._session.start()
        except BaseException:
            self._close()
            if self.path is not None and self.path.is_file():  # not a device
                self.path.unlink()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.session.stop()
        except BaseException:  # the output cannot be written to: the tail keeps what it lacks
            self._close(keep_tail=True)
            raise
        self._close()

    @property
    def session(self) -> Session:
        """What records: counts of events, traces and threads.

        Raises:
            UsageError: the block was not entered yet.

        """
        if self._session is None:
            raise UsageError("this recorder has not recorded anything yet; write: with recorder: ...")
        return self._session

    @property
    def data(self) -> bytes:
        """All that was recorded, in the form asked for."""
        return bytes(self._memory) if self.path is None else self.path.read_bytes()

    @property
    def traces(self) -> list[Trace]:
        """All traces.

        Raises:
            UsageError: the form is not `binary`.

        """
        if self.form != "binary":
            raise UsageError("traces can be read back from form='binary' only; the wire says less")
        return list(read_binary(self.data))

    def _close(self, keep_tail: bool = False) -> None:
        for file in self._files:
            file.close()
        if self.path is not None and not keep_tail and os.getpid() == self._process:  # in a forked child it is the parent's
            tail_of(self.path).unlink(missing_ok=True)

    def _open(self) -> tuple[int | bytearray, int]:
        if self.path is None:
            return self._memory, -1
        self._files = [self.path.open("wb"), tail_of(self.path).open("wb+")]
        self._files[1].truncate(TAIL_BYTES)
        return self._files[0].fileno(), self._files[1].fileno()
