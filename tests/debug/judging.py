"""A judge that is as sure as it is told, and a session that asks it."""

from collections.abc import Mapping, Sequence

from sessions import LETTERS, real

from foretrace.debug import Session, open_session
from foretrace.engine import OraclePredictor, Step


class Judge:
    """Is as sure of everything as it is told."""

    def __init__(self, share: float) -> None:
        self.share = share

    def sure(self, steps: Sequence[Step], position: int, anchor: int) -> Mapping[str, float]:
        return {value.name: self.share for value in steps[position].values}

    def line(self, steps: Sequence[Step], position: int, anchor: int) -> float | None:
        return self.share

    def marks(self, steps: Sequence[Step], position: int, anchor: int) -> Mapping[str, str]:
        return {}


def told(judge: Judge | None) -> Session:
    """At the third visit of a loop's line."""
    oracle = OraclePredictor(real, err=0.0)
    session = open_session(oracle, LETTERS, "f", "'r'", judge=judge)
    session.goto(4, 3)
    return session
