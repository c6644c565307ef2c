"""Budgets end an episode, and outputs are cut in the middle."""

import pytest

from foretrace.errors import UsageError
from foretrace.forager.budgets import Budgets, Meter, bounded, estimate_tokens
from foretrace.forager.trajectory import Action, Ending, Step, Usage


def step(number: int = 1, *, refused: bool = False, **usage: float) -> Step:
    return Step(
        number=number,
        action=Action(content="abcd" * 10, usage=Usage(**usage)),  # type: ignore[arg-type]
        role="user",
        observation="efgh" * 10,
        refused=refused,
        seconds=2.0,
    )


def meter(**budgets: float) -> Meter:
    return Meter(Budgets(**budgets), estimate_tokens)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("budgets", "usage", "ending"),
    [
        ({"turns": 3}, {}, Ending.TURNS),
        ({"seconds": 9}, {"seconds": 1.0}, Ending.SECONDS),
        ({"cost": 0.3}, {"cost": 0.1}, Ending.COST),
        ({"tokens": 90}, {}, Ending.TOKENS),
        ({"tokens": 1090}, {"prompt_tokens": 1000, "completion_tokens": 80}, Ending.TOKENS),
    ],
)
def test_each_budget_ends_an_episode(budgets: dict[str, float], usage: dict[str, float], ending: Ending) -> None:
    found = meter(**budgets)
    for number in range(3):
        assert found.exceeded() is None or ending is Ending.TOKENS
        found.add(step(number + 1, **usage))
    assert found.exceeded() is ending


def test_messages_without_a_call_end_an_episode_only_in_a_row() -> None:
    found = meter(refusals=2)
    for refused in (True, False, True):
        found.add(step(refused=refused))
    assert found.exceeded() is None
    found.add(step(refused=True))
    assert found.exceeded() is Ending.FORMAT


def test_what_a_server_counts_replaces_estimates() -> None:
    found = meter()
    found.see("x" * 400)
    assert found.tokens == 105
    found.add(step())
    assert found.tokens == 105 + 15 + 15
    found.add(step(prompt_tokens=500, completion_tokens=20))
    assert found.tokens == 520 + 15
    assert found.tokens_left == 131_072 - 535


def test_budgets_are_positive() -> None:
    with pytest.raises(UsageError, match="turns is 0"):
        Budgets(turns=0)
    with pytest.raises(UsageError, match="cost is -1"):
        Budgets(cost=-1)


def test_a_long_output_keeps_its_beginning_and_its_end() -> None:
    text = "".join(f"line {n}\n" for n in range(2000))
    cut = bounded(text, 1000)
    assert len(cut) < 1060
    assert cut.startswith("line 0\nline 1\n")
    assert cut.endswith("line 1998\nline 1999\n")
    head, _, rest = cut.partition("[… ")
    said, _, tail = rest.partition(" left out …]\n")
    assert said == f"{len(text) - len(head) - len(tail):,} characters ({2000 - cut.count('line '):,} lines)"
    assert text.startswith(head)
    assert text.endswith(tail)


@pytest.mark.parametrize("text", ["", "a", "a\n" * 50, "x" * 100])
def test_a_short_one_is_not_touched(text: str) -> None:
    assert bounded(text, 100) == text


@pytest.mark.parametrize("text", ["x" * 5000, "x\n" + "y" * 5000 + "\nz", "\n" * 5000])
@pytest.mark.parametrize("characters", [1, 2, 99, 1000])
def test_long_lines_are_cut_where_they_are(text: str, characters: int) -> None:
    cut = bounded(text, characters)
    assert len(cut) <= characters + 60
    head, _, rest = cut.partition("[… ")
    tail = rest.partition(" left out …]\n")[2]
    assert text.startswith(head.removesuffix("\n"))
    assert text.endswith(tail)
    assert characters // 2 * 0.4 <= len(tail) <= characters
