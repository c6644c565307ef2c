"""Policies by name: what a user may say, and what is said of what nobody understands."""

import pytest

from foretrace.errors import UsageError
from foretrace.forager.policies.chat import Chat
from foretrace.forager.policies.named import read_policy

pytest.importorskip("httpx")


def test_simple_ones_take_the_seed() -> None:
    for name in ("oracle", "null", "random", "human"):
        assert read_policy(name).make("t", 3).name == name
    assert read_policy("random").make("t", 3).settings()["seed"] == 3


def test_search_takes_settings() -> None:
    pytest.importorskip("libcst")
    assert read_policy("search,candidates=7").make("t", 5).settings().items() >= {"candidates": 7, "seed": 5}.items()
    with pytest.raises(UsageError, match="does not have such a setting"):
        read_policy("search,nonsense=7")


def test_a_server() -> None:
    spec = "http://localhost:8000/v1,model=org/m,style=cwm,temperature=0.6,max_tokens=512,prices=0.2+0.6,concurrency=3"
    policy = read_policy(spec).make("t", 9)
    assert isinstance(policy, Chat)
    assert policy.settings() == {"model": "org/m", "temperature": 0.6, "max_tokens": 512, "seed": 9, "style": "cwm"}
    assert (policy.endpoint.url, policy.endpoint.prices) == ("http://localhost:8000/v1", (0.2, 0.6))
    assert policy.endpoint.concurrency == 3


def test_episodes_share_the_connections_of_a_server() -> None:
    """Else each of them could ask as often at a time as `concurrency` says."""
    spec = "http://localhost:8000/v1,model=m,concurrency=3"
    one, other = (read_policy(spec).make(task, 0) for task in ("a", "b"))
    assert isinstance(one, Chat)
    assert isinstance(other, Chat)
    assert one.endpoint is other.endpoint


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nonsense", "there is no policy 'nonsense'"),
        ("oracle,x=1", "oracle has no settings: x"),
        ("http://h/v1", "which model"),
        ("http://h/v1,model", "settings are NAME=VALUE"),
        ("http://h/v1,model=m,color=red", "there is no setting 'color'"),
        ("http://h/v1,model=m,temperature=hot", "a setting is no number"),
        ("http://h:80x/v1,model=m", "no address of a server"),
        ("http://h/v1,model=m,style=odd", "there is no style 'odd'"),
        ("replay:/nowhere", "no such file or folder"),
    ],
)
def test_what_is_wrong_is_said(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_policy(spec)
