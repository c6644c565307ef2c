"""How often is another value that a model held possible the real one? Three ways to say how likely, side by side.

    python bench/alternatives.py [PROGRAMS]

`model`: its own probability; `trust`: that, scaled by how far the calibration believes what the model chose (what
`foretrace.debug.doubts` does); `rest`: what the calibration leaves to all others, shared as the model would. Values that the
calibration is not sure of (below 97 %), at most four of a run, of held-out programs that no calibration was fitted on; freely
and re-anchored. Brier scores: smaller is better; a mean far above the share of hits promises too much.
"""

import sys
from collections.abc import Iterator
from math import exp
from random import Random

from foretrace.debug import Session, Settings, open_session
from foretrace.debug.confidence import confidence_of
from foretrace.engine import load_predictor
from foretrace.evals.traces import held_out_cases

SEED = 770_077
SURE = 0.97
A_RUN = 4


def main(programs: int) -> None:
    """Measures and prints."""
    predictor, judge, rng = load_predictor("tiny"), confidence_of("tiny"), Random(1)
    found: dict[str, list[tuple[float, float, float, bool]]] = {"free": [], "re-anchored": []}
    for case in held_out_cases(programs, SEED, raising=True):
        settings = Settings(budget=2000)
        session = open_session(predictor, case.source, case.entry, case.arguments, settings=settings, judge=judge)
        session.run()
        session.attach(case.real)
        found["free"] += doubtful(session, rng)
        session.budget = session.spent + 2500
        session.seek(0)
        session.anchor()
        session.run()
        found["re-anchored"] += doubtful(session, rng)
    for mode, rows in found.items():
        hits = [hit for *_, hit in rows]
        print(f"{mode}: {len(rows)} values, {sum(hits) / len(hits):.3f} of the likeliest others are right")
        for name, told in ways(rows).items():
            brier = sum((share - hit) ** 2 for share, hit in zip(told, hits, strict=True)) / len(hits)
            print(f"  {name:<6} mean {sum(told) / len(told):.3f}   Brier {brier:.4f}")


def doubtful(session: Session, rng: Random) -> Iterator[tuple[float, float, float, bool]]:
    """Of some values: the model's probability, the calibrated one, the model's of the likeliest other, whether that is right."""
    picked = []
    for position in range(1, len(session.branch.timeline)):
        moment = session.at(position)
        for value in moment.step.values if moment.real is not None and not moment.step.ghost else ():
            sure = moment.confidences.get(value.name)
            if sure is not None and sure <= SURE and (not value.unchanged or rng.random() < 0.1):
                picked.append((moment, value, sure))
    rng.shuffle(picked)
    for moment, value, sure in picked[:A_RUN]:
        assert moment.real is not None
        real = moment.real.state.get(value.name) if value.name else moment.real.value
        for other in moment.alternatives(value.name, 2)[:1]:
            yield exp(value.logprob), sure, other.probability, other.text == real


def ways(rows: list[tuple[float, float, float, bool]]) -> dict[str, list[float]]:
    """What each way says of each other value."""
    return {
        "model": [other for _, _, other, _ in rows],
        "trust": [other * min(1, sure / own) for own, sure, other, _ in rows],
        "rest": [(1 - sure) * other / max(1 - own, other) for own, sure, other, _ in rows],
    }


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 140)
