"""Steps and their links: scopes, callers, forks."""

import pytest
from sessions import LETTERS, RAISING, RECURSIVE, recorded

from foretrace.debug.timeline import Timeline, given
from foretrace.trace import Event, Frame

TRACES = [recorded(LETTERS, "f", "'r'"), recorded(RAISING, "f", "-3"), recorded(RECURSIVE, "fib", "5")]


def structure(timeline: Timeline) -> list[tuple[int | None, int | None, int | None]]:
    return [(timeline.before(i), timeline.after(i), timeline.caller(i)) for i in range(len(timeline))]


def expected(frames: tuple[Frame, ...]) -> list[tuple[int | None, int | None, int | None]]:
    """The same by a recursive reading of the trace: one list a scope."""
    found: dict[int, tuple[int | None, int | None, int | None]] = {}

    def scope(at: int, caller: int | None) -> int:
        depth, mine = frames[at].depth, [at]
        at += 1
        while at < len(frames) and not (frames[mine[-1]].event is Event.RETURN or frames[mine[-1]].unwind):
            if frames[at].depth > depth:
                at = scope(at, mine[-1])
            else:
                mine.append(at)
                at += 1
        for before, here, after in zip([None, *mine], mine, [*mine[1:], None], strict=False):
            found[here] = (before, after, caller)
        return at

    assert scope(0, None) == len(frames)
    return [found[i] for i in range(len(frames))]


@pytest.mark.parametrize("trace", TRACES)
def test_each_step_is_linked_to_its_scope_and_its_caller(trace) -> None:
    assert structure(Timeline(map(given, trace.frames))) == expected(trace.frames)


@pytest.mark.parametrize("trace", TRACES)
def test_a_fork_is_the_timeline_of_its_beginning_and_grows_like_it(trace) -> None:
    whole = Timeline(map(given, trace.frames))
    for length in range(len(whole) + 1):
        fork = whole.fork(length)
        assert structure(fork) == structure(Timeline(map(given, trace.frames[:length])))
        for frame in trace.frames[length:]:
            fork.append(given(frame))
        assert structure(fork) == structure(whole)
        assert fork.visits(2) == whole.visits(2)


def test_the_stack_leads_to_the_entry() -> None:
    timeline = Timeline(map(given, TRACES[2].frames))
    deepest = max(range(len(timeline)), key=lambda i: timeline.frames[i].depth)
    stack = timeline.stack(deepest)
    assert [timeline.frames[i].depth for i in stack] == list(range(timeline.frames[deepest].depth, -1, -1))
    assert stack == sorted(stack, reverse=True)


def test_what_is_known_anchors_what_follows() -> None:
    frames = TRACES[0].frames
    timeline = Timeline()
    for i, frame in enumerate(frames[:8]):
        timeline.append(given(frame), known=i in (0, 5), real=frame if i == 6 else None)
    assert [timeline.anchor(i) for i in range(9)] == [0, 0, 0, 0, 0, 0, 5, 6, 6]


def test_scopes_that_were_never_entered_do_no_harm() -> None:
    deep = Frame(Event.LINE, "g", 3, 7, "    x = 1", locals={})
    timeline = Timeline([given(deep), given(deep), given(TRACES[0].frames[1])])
    assert structure(timeline) == [(None, 1, None), (0, None, None), (None, None, None)]
