"""What the tokens of a document are: one `Kind` a token, stored beside it as a uint8.

A kind says where a token comes from. It decides whether a model is taught to predict it, and losses are
reported by it.

    Kind.OBSERVATION in PREDICTED      # True: masked only where a source asks for it
"""

from enum import IntEnum


class Kind(IntEnum):
    """Where a token comes from. The numbers are in the shards: none is ever reused for something else."""

    PROMPT = 0
    """Given, never predicted: the code and the arguments of a trace, a question, a system message."""
    TEXT = 1
    """Plain text and code without more structure."""
    EVENT = 2
    """A frame's kind, separators, the end."""
    SOURCE = 3
    """A frame's source line."""
    LOCALS = 4
    """A frame's local variables."""
    VALUE = 5
    """What a call returned or raised."""
    ACTION = 6
    """What an agent or assistant says."""
    OBSERVATION = 7
    """What an environment answers."""


PREDICTED = frozenset(Kind) - {Kind.PROMPT}
"""Kinds that a model is taught to predict unless a source says otherwise."""
