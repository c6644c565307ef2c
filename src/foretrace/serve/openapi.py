"""The OpenAPI document: requests as they are checked (`schema.py`), answers as they are tested.

document("tiny")      # a dict, served at /openapi.json
"""

from typing import Any

from foretrace import __version__
from foretrace.serve.completion_request import COMPLETION
from foretrace.serve.guard import MAX_BODY
from foretrace.serve.metrics import CONTENT_TYPE as PROMETHEUS
from foretrace.serve.schema import Schema
from foretrace.serve.trace_request import PREDICT, SCORE
from foretrace.serve.traces import CONTENT_TYPE as TRACE

_EVENTS = "text/event-stream"
_EVENT = {"type": "object", "required": ["data"], "properties": {"event": {"type": "string"}, "data": {"type": "string"}}}
_NUMBER, _INTEGER, _STRING = {"type": "number"}, {"type": "integer"}, {"type": "string"}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": _STRING,
                "type": _STRING,
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
_REFUSALS = {
    400: "The request is not one that can be answered; `param` names the field.",
    401: "The token is missing or wrong.",
    403: "The request came from another page, or to a name that is not the server's.",
    404: "There is no such model or path.",
    405: "Another method.",
    408: "The body did not arrive in time.",
    413: f"The body is longer than {MAX_BODY:,} bytes.",
    429: "Too many are waiting; `Retry-After` says when to come back.",
    503: "There is no time left, or the server is being stopped.",
}
_COMPLETION_ANSWER = {
    "type": "object",
    "required": ["id", "object", "created", "model", "choices", "usage"],
    "properties": {
        "id": _STRING,
        "object": {"const": "text_completion"},
        "created": _INTEGER,
        "model": _STRING,
        "choices": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["index", "text", "finish_reason"],
                "properties": {
                    "index": _INTEGER,
                    "text": _STRING,
                    "logprobs": {"type": ["object", "null"]},
                    "finish_reason": {"enum": ["stop", "length", None]},
                    "stop_reason": {"type": ["string", "integer", "null"]},
                    "token_ids": {"type": ["array", "null"], "items": _INTEGER},
                    "prompt_token_ids": {"type": ["array", "null"], "items": _INTEGER},
                    "prompt_logprobs": {"type": ["array", "null"]},
                },
            },
        },
        "usage": {
            "type": "object",
            "required": ["prompt_tokens", "completion_tokens", "total_tokens"],
            "properties": dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), _INTEGER),
        },
    },
}
_STEP = {
    "type": "object",
    "properties": {
        "i": _INTEGER,
        "ev": {"enum": ["call", "line", "return", "exception"]},
        "line": _INTEGER,
        "nats": _NUMBER,
        "event_nats": _NUMBER,
        "line_nats": _NUMBER,
        "values": {"type": "object", "additionalProperties": _NUMBER},
        "tokens": _INTEGER,
    },
}
_SCORE_ANSWER = {
    "type": "object",
    "required": ["object", "model", "frames", "scored", "nats", "tokens", "steps"],
    "properties": {
        "object": {"const": "trace.score"},
        "model": _STRING,
        "frames": {"type": "integer", "description": "Of the trace."},
        "scored": {"type": "integer", "description": "Of these, as many as the model's context holds."},
        "nats": {
            "type": "number",
            "description": "Surprise: minus the natural logarithm of the probability of all.",
        },
        "tokens": _INTEGER,
        "steps": {"type": "array", "items": _STEP},
    },
}
_MODEL_ANSWER = {
    "type": "object",
    "required": ["id", "object", "created", "owned_by", "max_model_len"],
    "properties": {
        "id": _STRING,
        "object": {"const": "model"},
        "created": _INTEGER,
        "owned_by": _STRING,
        "max_model_len": {"type": "integer", "description": "Tokens of prompt and answer together."},
    },
}
_MODELS_ANSWER = {
    "type": "object",
    "required": ["object", "data"],
    "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": _MODEL_ANSWER}},
}
_HEALTH_ANSWER = {"type": "object", "required": ["status"], "properties": {"status": {"const": "ok"}}}


def document(name: str) -> dict[str, Any]:
    """The document of a server that serves the model `name`."""
    a_model = {"name": "model", "in": "path", "required": True, "schema": _STRING, "example": name}

    def post(summary: str, schema: Schema, content: dict[str, Any]) -> dict[str, Any]:
        own = {"model": {"enum": [name, None], "description": "May be left out."}}
        return {"post": _post(summary, {**schema, "properties": schema["properties"] | own}, content)}

    paths = {
        "/v1/completions": post("Continue texts or token ids.", COMPLETION, {"application/json": _COMPLETION_ANSWER}),
        "/v1/traces/predict": post("Predict a call, line by line.", PREDICT, {TRACE: _STRING}),
        "/v1/traces/score": post("How surprising a trace is.", SCORE, {"application/json": _SCORE_ANSWER}),
        "/v1/models": {"get": _get("The model that is served.", {"application/json": _MODELS_ANSWER})},
        "/v1/models/{model}": {
            "get": _get("One model.", {"application/json": _MODEL_ANSWER}) | {"parameters": [a_model]},
        },
        "/health": {"get": _get("Whether the server works.", {"application/json": _HEALTH_ANSWER}) | {"security": []}},
        "/metrics": {"get": _get("Counts for Prometheus.", {PROMETHEUS: _STRING})},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "foretrace serve",
            "version": __version__,
            "description": "A model of Python executions. Nothing that is sent here is executed.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}, "schemas": {"Error": _ERROR}},
    }


def _get(summary: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "responses": _responses(content)}


def _post(summary: str, body: Any, content: dict[str, Any]) -> dict[str, Any]:
    request = {"required": True, "content": {"application/json": {"schema": body}}}
    streams = "stream" in body["properties"]
    return {
        "summary": summary,
        "requestBody": request,
        "responses": _responses(content | ({_EVENTS: _EVENT} if streams else {})),
    }


def _responses(content: dict[str, Any]) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    refusals = {str(status): {"description": what, "content": error} for status, what in _REFUSALS.items()}
    good = {kind: {"schema": schema} for kind, schema in content.items()}
    return {"200": {"description": "The answer.", "content": good}} | refusals
