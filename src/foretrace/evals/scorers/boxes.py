"""The sandboxes that scorers run code in: what was asked for, or none.

with open_box(Setting(), preload=["foretrace.evals.scorers.child"]) as box: …
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from foretrace.errors import RefusedError
from foretrace.evals.types import Setting
from foretrace.sandbox import Sandbox, SandboxLimits, backends


def require_isolation(setting: Setting) -> None:
    """Sees that code of others can be run as it should be.

    Raises:
        RefusedError: this isolation cannot be had here.

    """
    known = backends()
    why = known.get(setting.isolation, f"there are only: {', '.join(known)}")
    if why:
        weaker = "; or accept weaker walls with --weak-isolation" if setting.isolation == "bubblewrap" else ""
        raise RefusedError(f"answers would run without the isolation {setting.isolation!r}: {why}{weaker}")


def open_box(setting: Setting, *, preload: Sequence[str] = (), readable: Sequence[str] = ()) -> Sandbox:
    """A sandbox of the isolation that is asked for; it starts when it is first used. Raises as `require_isolation` does."""
    require_isolation(setting)
    return Sandbox(setting.isolation, preload=preload, readable=readable)


def limits_of(setting: Setting, limits: SandboxLimits) -> SandboxLimits:
    """A benchmark's limits, with the seconds that the user wants instead, if any."""
    if setting.seconds is None:
        return limits
    return replace(limits, seconds=setting.seconds, cpu_seconds=math.ceil(setting.seconds))
