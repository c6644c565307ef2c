"""Reading the weights again: only where the operator says so; `tests/rl/test_rl_remote.py` does it."""

import httpx
from serving import HEADERS, serving

from foretrace.serve.model import Limits


def test_weights_are_read_again_only_where_that_is_allowed(url: str) -> None:
    assert httpx.post(f"{url}/v1/weights/reload", headers=HEADERS, json={}).status_code == 404
    with serving(Limits(reload=True)) as (other, served):
        assert httpx.post(f"{other}/v1/weights/reload", json={}).status_code == 401
        ask = {"prompt": "def f(x):", "max_tokens": 8, "temperature": 0}
        before = httpx.post(f"{other}/v1/completions", headers=HEADERS, json=ask).json()["choices"]
        assert httpx.post(f"{other}/v1/weights/reload", headers=HEADERS, json={}).json() == {"reloads": 1}
        assert httpx.post(f"{other}/v1/completions", headers=HEADERS, json=ask).json()["choices"] == before
        assert served.reloads == 1
