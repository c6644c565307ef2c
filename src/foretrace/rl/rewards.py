"""What transitions are worth, apart from environments: those of CWM (report, section 5.3).

right_or_wrong(transition, action)      # 1 or -1
patch_reward(transition, action)        # 0, too: wrong, but half of the way
with_length_limit(right_or_wrong, free=2048, most=4096)
"""

from collections.abc import Sequence

from foretrace.rl.types import Reward, Transition

_HALF_ALIKE = 0.5


def right_or_wrong(transition: Transition, action: Sequence[int]) -> float:
    """1 for an episode that ends right, -1 for one that does not, 0 on the way."""
    if not transition.is_over:
        return 0.0
    return 1.0 if transition.outcome.get("right") else -1.0


def patch_reward(transition: Transition, action: Sequence[int]) -> float:
    """As `right_or_wrong`, but 0 for a patch that fails and is at least half alike the right one."""
    value = right_or_wrong(transition, action)
    return 0.0 if value < 0 and transition.outcome.get("similarity", 0.0) >= _HALF_ALIKE else value


def with_length_limit(reward: Reward, *, free: int, most: int) -> Reward:
    """Takes from a right answer what it is too long: nothing up to `free` tokens, all that it is worth from `most` on.

    CWM bootstraps the format with such a limit, and holds answers short with one in its last stage (report, section 5.3);
    a run changes the bounds from stage to stage.
    """

    def limited(transition: Transition, action: Sequence[int]) -> float:
        value = reward(transition, action)
        if value <= 0 or len(action) <= free:
            return value
        return value * max(0.0, 1 - (len(action) - free) / (most - free))

    return limited
