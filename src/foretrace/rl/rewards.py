"""What transitions are worth, apart from environments: those of CWM (report, section 5.3).

reward = right_or_wrong(transition)      # 1 or -1
"""

from foretrace.rl.types import Transition


def right_or_wrong(transition: Transition) -> float:
    """1 for an episode that ends right, -1 for one that does not, 0 on the way."""
    if not transition.is_over:
        return 0.0
    return 1.0 if transition.outcome.get("right") else -1.0
