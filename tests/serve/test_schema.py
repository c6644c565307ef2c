"""Checking by JSON Schema: each keyword, and that it agrees with the library that knows all of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretrace.serve.completion_request import COMPLETION
from foretrace.serve.problem import Problem
from foretrace.serve.schema import check, parse, with_defaults

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b"[1]", "must be a JSON object"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e999}', "too large"),
        (b"\xff{}", "not UTF-8"),
        (b'{"a":' + b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"1" * 10_000 + b"}", "not JSON"),
    ],
)
def test_bodies_that_are_no_objects(data: bytes, message: str) -> None:
    with pytest.raises(Problem, match=message) as raised:
        parse(data)
    assert raised.value.status == 400


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({}, "prompt", "is missing"),
        ({"prompt": "x", "colour": 1}, "colour", "is not known"),
        ({"prompt": 1}, "prompt", "must be a text"),
        ({"prompt": []}, "prompt", "at least 1 items"),
        ({"prompt": [1, True]}, "prompt", r"prompt\[1\] must be an integer"),
        ({"prompt": [1, -1]}, "prompt", r"prompt\[1\] must be at least 0"),
        ({"prompt": ["a", 1]}, "prompt", r"prompt\[0\] must be an integer"),
        ({"prompt": "x", "temperature": -0.1}, "temperature", "at least 0"),
        ({"prompt": "x", "temperature": True}, "temperature", "a number or null"),
        ({"prompt": "x", "top_p": 0}, "top_p", "more than 0"),
        ({"prompt": "x", "n": 1.5}, "n", "an integer"),
        ({"prompt": "x", "best_of": 2}, "best_of", "must be null or 1"),
        ({"prompt": "x", "top_k": 50}, "top_k", "must be null or 0 or -1"),
        ({"prompt": "x", "suffix": "y"}, "suffix", 'must be null or ""'),
        ({"prompt": "x", "logit_bias": {"5": 1}}, "logit_bias", r"logit_bias\.5 is not known"),
        ({"prompt": "x", "stream_options": {"a": 1}}, "stream_options", "is not known"),
        ({"prompt": "x", "stop": ["a"] * 17}, "stop", "at most 16 items"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str, message: str) -> None:
    with pytest.raises(Problem, match=message) as raised:
        check(body, COMPLETION, "")
    assert raised.value.param == param


def test_defaults_stand_for_what_is_missing_and_for_null() -> None:
    fields = with_defaults({"prompt": "x", "temperature": None, "n": 3}, COMPLETION)
    assert (fields["temperature"], fields["n"], fields["echo"], fields["seed"]) == (1.0, 3, False, None)
    assert set(fields) == set(COMPLETION["properties"])


@given(st.dictionaries(st.sampled_from([*COMPLETION["properties"], "odd"]), JSON, max_size=4), JSON)
def test_it_says_what_the_standard_says(body: dict[str, Any], prompt: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    body = {"prompt": prompt, **body}
    valid = jsonschema.Draft202012Validator(COMPLETION).is_valid(_with_real_integers(body))
    try:
        check(body, COMPLETION, "")
    except Problem:
        assert not valid
    else:
        assert valid


def _with_real_integers(value: Any) -> Any:
    """The standard calls 1.0 an integer, we do not: JSON writes it otherwise, and so do all clients."""
    if isinstance(value, float) and value.is_integer():
        return value + 0.5
    if isinstance(value, list):
        return [_with_real_integers(item) for item in value]
    return {k: _with_real_integers(v) for k, v in value.items()} if isinstance(value, dict) else value
