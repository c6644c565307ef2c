"""Prediction: engines behind one interface, and from a call to a predicted trace."""

from foretrace.engine.binding import bind_call
from foretrace.engine.grammar import FrameGrammar
from foretrace.engine.load import load
from foretrace.engine.predict import build_prompt, predict, predict_many
from foretrace.engine.types import Engine, Generation, Grammar, Prompt

__all__ = [
    "Engine",
    "FrameGrammar",
    "Generation",
    "Grammar",
    "Prompt",
    "bind_call",
    "build_prompt",
    "load",
    "predict",
    "predict_many",
]
