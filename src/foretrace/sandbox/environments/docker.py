"""Containers of Docker or Podman, by one client: for images that want a machine of their own, and for machines set up
for them.

    with Docker().open(image, EnvironmentLimits()) as environment:
        environment.exec(["true"])

Needs the extra `docker`, and Docker, Podman's service (`DOCKER_HOST`), or the program `podman`, of which a service is
started. The container's first process is the episode's shell, whose commands and status go over its standard streams;
other commands and files go through `exec`. A snapshot is a commit. What a process that was killed left is removed by
the next that connects.
"""

from foretrace.sandbox.environment import EnvironmentLimits, Image, Probe
from foretrace.sandbox.environments import probing
from foretrace.sandbox.environments.container import ContainerEnvironment
from foretrace.sandbox.environments.engine import Engine


class Docker:
    """See above."""

    name = "docker"

    def probe(self) -> Probe:
        """See `environment.Backend`."""
        return probing.probe(self, "pip install 'foretrace[docker]', and Docker, or Podman with runc")

    def open(self, image: Image, limits: EnvironmentLimits, *, network: bool = False) -> ContainerEnvironment:
        """See `environment.Backend`."""
        engine = Engine.connect()
        return ContainerEnvironment(engine, engine.load(image), image, limits, network=network)
