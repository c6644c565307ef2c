"""Who acts in an episode: a model on a server, a record, a person, or one of the gates that every task has to pass."""

from foretrace.forager.policies.types import History, OutOfContextError, Policy

__all__ = ["History", "OutOfContextError", "Policy"]
