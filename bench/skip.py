"""How often a skipped step is right, by how many steps were left out: `python bench/skip.py [MODEL]`.

From real steps of held-out programs the model writes the step after the line, the loop or the call (`engine/skip.py`); it is
right if its line and all of its values are.
"""

import random
import sys
from collections import defaultdict

from foretrace.debug.reality import Reality, same
from foretrace.engine import Step, build_prompt, load
from foretrace.engine.skip import WHAT, skip_to, targets_of
from foretrace.errors import UsageError
from foretrace.evals import Share, held_out_cases
from foretrace.evals.traces import HELD_OUT_SEED
from foretrace.trace.structure import Structure

PROGRAMS, STEPS = 150, 4
CLASSES = ((0, 0), (1, 2), (3, 5), (6, 10), (11, 10**9))


def main() -> None:
    engine, rng = load(sys.argv[1] if len(sys.argv) > 1 else "tiny"), random.Random(0)
    found: dict[tuple[str, tuple[int, int]], list[bool]] = defaultdict(list)
    for case in held_out_cases(PROGRAMS, seed=HELD_OUT_SEED + 500_000):
        prompt, reality = build_prompt(case.source, case.entry, case.arguments), Reality(case.real)
        structure, frames = Structure(prompt.call.source), case.real.frames
        places = [at for at, frame in enumerate(frames) if frame.locals is not None]
        for at in rng.sample(places, min(STEPS, len(places))):
            for what in WHAT:
                try:
                    targets = targets_of(structure, frames[at], what)
                except UsageError:
                    continue  # there is nothing to skip
                after = reality.after_skipping(at, what, structure)
                if after < 0 or not targets:
                    continue
                step = skip_to(engine, prompt, frames[: at + 1], targets, budget=400)
                left_out = next(c for c in CLASSES if c[0] <= after - at - 1 <= c[1])
                found[what, left_out].append(isinstance(step, Step) and same(step.frame, frames[after]))
    for (what, (low, high)), right in sorted(found.items()):
        share = Share.of(right)
        print(f"{what:<5} {low:>2}-{high if high < 10**9 else '…':<3} left out: {share.text()}")


if __name__ == "__main__":
    main()
