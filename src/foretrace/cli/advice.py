"""What a reader of a prediction should know before believing it, and how to go on where it broke off.

ghosts(trace)               # ['step 88: the model wrote a line that is not in the file …']
how_to_go_on(session)       # 'stopped: the budget of 4096 tokens is used up at step 612 …'
"""

import difflib

from foretrace.debug import Reason, Session
from foretrace.trace import Trace

_MOST_GHOSTS = 3


def ghosts(trace: Trace) -> list[str]:
    """Lines that the model made up, each with the one in the file that is most like it."""
    source = trace.header.source.split("\n")
    found = [(step, frame.source) for step, frame in enumerate(trace.frames) if frame.ghost]
    told = []
    for step, line in found[:_MOST_GHOSTS]:
        nearest = difflib.get_close_matches(line, source, n=1, cutoff=0.5)
        hint = f"; nearest: line {source.index(nearest[0]) + 1}" if nearest else ""
        told.append(f'step {step}: the model wrote a line that is not in the file ("{line.strip()}"){hint}')
    if len(found) > _MOST_GHOSTS:
        told.append(f"{len(found) - _MOST_GHOSTS} more such lines")
    return told


def how_to_go_on(session: Session) -> str:
    """Where an unfinished prediction broke off, and what one can do; empty if it is finished."""
    stop = session.stop
    if stop.reason not in (Reason.BUDGET, Reason.CONTEXT, Reason.FORMAT):
        return ""
    at = session.at(len(session.branch.timeline) - 1)
    loops = session.tree.passes(session.branch).around(at.position)
    place = f"line {at.frame.line}" + (f", pass {loops[0].number_at(at.position)} of its loop" if loops else "")
    is_cut = stop.reason is Reason.BUDGET and session.branch.finish is not None  # a recorded trace was
    what = {
        Reason.BUDGET: stop.detail if is_cut else f"budget of {session.budget:,} tokens used",
        Reason.CONTEXT: "the model's context is full",
        Reason.FORMAT: f"what came next was no frame ({stop.detail})",
    }[stop.reason]
    more = stop.reason is Reason.BUDGET and not is_cut
    advice = [f"Go on: --budget {-(-4 * session.budget // 1024)}k"] if more else []
    advice += ["Only lines that exist: --grammar"] if stop.reason is Reason.FORMAT else []
    advice += [f"Skip the loop: --over {loops[-1].loop.head.start}"] if loops and not is_cut else []
    advice += ["Only check a real run: foretrace score"]
    steps = f"{at.position + 1} steps are kept. "
    return f"stopped: {what} at step {at.position} of an unfinished run ({place})\n  {steps}{'   '.join(advice)}"
