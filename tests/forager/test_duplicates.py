"""Near duplicates: exactly those, per repository, and the first stays."""

import random
from dataclasses import replace
from itertools import combinations

import pytest

pytest.importorskip("rensa")

from foretrace.corpus.resemblance import shingles, signature, similarity
from foretrace.forager.duplicates import actions_of, without_duplicates
from foretrace.forager.trajectory import Action, Header, Step, Trajectory

WORDS = [
    "ls",
    "cat",
    "git",
    "diff",
    "python",
    "pytest",
    "add",
    "sub",
    "edit",
    "view",
    "create",
    "grep",
    "def",
    "return",
    "import",
    "os",
    "sys",
    "a",
    "b",
    "c",
]


def episode(name: str, words: list[str], repo: str = "r") -> Trajectory:
    steps = [
        Step(number=n + 1, action=Action(content=" ".join(words[i : i + 10])))
        for n, i in enumerate(range(0, len(words), 10))
    ]
    return Trajectory(Header(episode=name, task=name, policy={"name": "p"}, system="", prompt="", repo=repo), tuple(steps))


def family(rng: random.Random, size: int, members: int, changed: int) -> list[list[str]]:
    """Lists of words that differ from one another in some places."""
    original = rng.choices(WORDS, k=size)
    found = []
    for _ in range(members):
        words = list(original)
        for place in rng.sample(range(size), changed):
            words[place] = f"w{rng.randrange(10**6)}"
        found.append(words)
    return found


def test_what_stays_is_less_alike_than_the_threshold_and_what_goes_is_not() -> None:
    rng = random.Random(0)
    lists = [words for changed in (1, 5, 12, 20, 40) for words in family(rng, 120, 12, changed)]
    rng.shuffle(lists)
    found = list(without_duplicates(episode(f"e{n}", words) for n, words in enumerate(lists)))
    kept = {t.header.episode: t for t, alike in found if alike is None}
    assert 5 < len(kept) < 45
    sets = {t.header.episode: shingles(actions_of(t)) for t, _ in found}
    for one, other in combinations(kept, 2):
        assert similarity(sets[one], sets[other]) < 0.5
    for trajectory, alike in found:
        if alike is not None:
            assert alike.episode in kept
            assert alike.similarity == pytest.approx(similarity(sets[trajectory.header.episode], sets[alike.episode]))
            assert alike.similarity >= 0.5


def test_repositories_do_not_meet() -> None:
    words = random.Random(1).choices(WORDS, k=50)
    found = [alike for _, alike in without_duplicates([episode("a", words), episode("b", words, "s"), episode("c", words)])]
    assert [alike and alike.episode for alike in found] == [None, None, "a"]


def test_thoughts_and_observations_do_not_count() -> None:
    first = episode("a", WORDS)
    other = replace(first.steps[0], observation="x" * 99, action=replace(first.steps[0].action, thought="y" * 99))
    second = replace(first, steps=(other, *first.steps[1:]))
    assert [alike is None for _, alike in without_duplicates([first, second])] == [True, False]


def test_empty_ones_are_alike() -> None:
    assert [alike is None for _, alike in without_duplicates([episode("a", []), episode("b", [])])] == [True, False]


def test_the_estimate_is_near() -> None:
    rng = random.Random(3)
    for changed in (2, 10, 30):
        one, other = (shingles(" ".join(words)) for words in family(rng, 400, 2, changed))
        assert abs((signature(one) == signature(other)).mean() - similarity(one, other)) < 0.15
