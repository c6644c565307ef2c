"""Learning-rate schedule: linear warm-up, constant, then 1 - sqrt cool-down (arXiv:2405.18392).

A constant middle lets a run be prolonged, or cooled down early, from any checkpoint: only the last
`decay_steps` before `steps` differ.
"""


def warmup_stable_decay(step: int, *, steps: int, warmup_steps: int, decay_steps: int) -> float:
    """The factor on the peak learning rate at `step` (0-based), in (0, 1]."""
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    decayed = step - (steps - decay_steps)
    if decayed < 0:
        return 1.0
    return float(max(1.0 - ((decayed + 1) / (decay_steps + 1)) ** 0.5, 1e-3))
