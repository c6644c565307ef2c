"""Every error a user can cause.

    ForetraceError (ValueError)
    ├── UsageError       a missing file, function or option; arguments that do not bind
    ├── FormatError      text that is not a trace
    ├── CheckpointError  a checkpoint folder with a missing or damaged file
    ├── RecordError      code could not be run at all (an execution cut by a limit is a Trace, not an error)
    ├── TrainingError    a run that cannot go on; what is saved is kept
    ├── PipelineError    a dataset that cannot be finished; what is done is kept
    ├── SandboxError     a sandbox that does not start
    ├── EndpointError    a model server that cannot be reached, refuses, or answers something else than was asked for
    ├── EvaluationError  an evaluation that cannot be trusted: its controls are judged wrongly
    └── RefusedError     executing is not allowed here

Messages say what, where, and what to do next. The command line prints them without a traceback.
"""


class ForetraceError(ValueError):
    """Base of all errors a user can cause; `exit_code` is the command line's."""

    exit_code = 2


class UsageError(ForetraceError):
    """A missing file, function or option; arguments that do not bind."""


class FormatError(ForetraceError):
    """Text that is not a trace."""


class CheckpointError(ForetraceError):
    """A checkpoint folder with a missing or damaged file."""

    exit_code = 3


class RecordError(ForetraceError):
    """Code could not be run at all."""

    exit_code = 3


class TrainingError(ForetraceError):
    """A run that cannot go on; what is saved is kept."""

    exit_code = 3


class PipelineError(ForetraceError):
    """A dataset that cannot be finished; what is done is kept."""

    exit_code = 3


class SandboxError(ForetraceError):
    """A sandbox that does not start."""

    exit_code = 3


class EndpointError(ForetraceError):
    """A model server that cannot be reached, refuses, or answers something else than was asked for."""

    exit_code = 3


class EvaluationError(ForetraceError):
    """An evaluation that cannot be trusted: its controls are judged wrongly."""

    exit_code = 3


class RefusedError(ForetraceError):
    """Executing is not allowed here."""

    exit_code = 5
