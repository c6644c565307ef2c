"""Prediction: engines behind one interface, predictors that tell an execution step by step, and whole predicted traces."""

from foretrace.engine.alternatives import Alternative
from foretrace.engine.binding import bind_call
from foretrace.engine.grammar import FrameGrammar
from foretrace.engine.load import load
from foretrace.engine.oracle import OraclePredictor
from foretrace.engine.predict import build_prompt, predict, predict_many
from foretrace.engine.predictor import Predictor, TokenPredictor, load_predictor
from foretrace.engine.replay import ReplayPredictor
from foretrace.engine.steps import Finish, Step, Steps, StopReason, Value, finish_of, trace_of
from foretrace.engine.types import Drafter, Engine, Generation, Grammar, Prompt

__all__ = [
    "Alternative",
    "Drafter",
    "Engine",
    "Finish",
    "FrameGrammar",
    "Generation",
    "Grammar",
    "OraclePredictor",
    "Predictor",
    "Prompt",
    "ReplayPredictor",
    "Step",
    "Steps",
    "StopReason",
    "TokenPredictor",
    "Value",
    "bind_call",
    "build_prompt",
    "finish_of",
    "load",
    "load_predictor",
    "predict",
    "predict_many",
    "trace_of",
]
