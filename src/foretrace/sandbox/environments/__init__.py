"""Environments for episodes: where an agent, a build or a test may do what it likes with an image.

    from foretrace.sandbox.environments import backends, open_environment

    with open_environment(image, backend="bubblewrap") as environment:
        environment.exec(["pytest", "-q"]).code

What they are is in `sandbox.environment`; a backend is a module here, chosen by name and never replaced by a weaker
one.
"""

from foretrace.errors import UsageError
from foretrace.sandbox.environment import Backend, Environment, EnvironmentLimits, Image
from foretrace.sandbox.environments.bubblewrap import Bubblewrap
from foretrace.sandbox.environments.docker import Docker
from foretrace.sandbox.environments.landlock import Landlock

__all__ = ["backends", "open_environment"]


def backends() -> dict[str, Backend]:
    """Every backend by its name, the strongest first; `probe` says whether it works here."""
    return {backend.name: backend for backend in (Bubblewrap(), Docker(), Landlock())}


def open_environment(
    image: Image, limits: EnvironmentLimits | None = None, *, backend: str = "bubblewrap", network: bool = False
) -> Environment:
    """Opens an environment; close it, or use it as a context manager.

    Raises:
        UsageError: there is no such backend.
        SandboxError: it cannot be used here; the message says what would help.

    """
    known = backends()
    if backend not in known:
        raise UsageError(f"no backend of environments called {backend!r}; there are: {', '.join(known)}")
    return known[backend].open(image, limits or EnvironmentLimits(), network=network)
