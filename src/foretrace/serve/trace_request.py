"""What `/v1/traces/…` may be asked.

check(body, PREDICT, "")
"""

from foretrace.serve.completion_request import MAX_TEXT
from foretrace.serve.schema import Schema

MAX_TRACE = 1_000_000
"""Characters of a trace: the largest that the CWM report keeps (section 2.2)."""

_MODEL: Schema = {"type": ["string", "null"], "default": None, "description": "The model that is served; may be left out."}

PREDICT: Schema = {
    "type": "object",
    "required": ["source", "entry"],
    "additionalProperties": False,
    "properties": {
        "model": _MODEL,
        "source": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_TEXT,
            "description": "A module; not executed.",
        },
        "entry": {"type": "string", "minLength": 1, "maxLength": 500, "description": "The function that is called."},
        "arguments": {
            "type": ["string", "null"],
            "maxLength": 20_000,
            "default": "",
            "description": "The argument list as in a call: \"'abc', k=[1]\".",
        },
        "max_tokens": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 1 << 20,
            "default": 4096,
            "description": "Tokens to write, at most.",
        },
        "temperature": {
            "type": ["number", "null"],
            "minimum": 0,
            "maximum": 100,
            "default": 0.0,
            "description": "0: always the likeliest token.",
        },
        "seed": {
            "type": ["integer", "null"],
            "minimum": 0,
            "maximum": (1 << 63) - 1,
            "default": 0,
            "description": "The same seed draws the same.",
        },
        "grammar": {
            "type": ["boolean", "null"],
            "default": False,
            "description": "Predict only lines that exist, in an order that control flow allows.",
        },
        "stream": {
            "type": ["boolean", "null"],
            "default": False,
            "description": "Send each line when it is predicted, as a server-sent event.",
        },
    },
}

SCORE: Schema = {
    "type": "object",
    "required": ["trace"],
    "additionalProperties": False,
    "properties": {
        "model": _MODEL,
        "trace": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_TRACE,
            "description": "One trace as JSON Lines v1, as `foretrace record --json` prints it.",
        },
    },
}
