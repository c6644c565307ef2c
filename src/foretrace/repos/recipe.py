"""How an image was made, as a Containerfile: to read, and to make it again where there is no foretrace."""

import json
import shlex
from typing import TYPE_CHECKING

from foretrace.repos.plan import TESTBED, VENV

if TYPE_CHECKING:
    from foretrace.repos.image import RepoImage


def containerfile(image: "RepoImage") -> str:
    """A recipe that gives the same packages in the same versions; the repository is copied from beside it."""
    plan, origin = image.plan, image.origin
    own = origin.name.replace("_", "-").lower()
    packages = [f"{name}=={version}" for name, version in sorted(image.packages.items()) if name != own]
    lines = [
        f"# {origin.source}: {origin.licence}, sha256 {origin.sha256}"
        + (f", commit {origin.commit}" if origin.commit else ""),
        *(f"# {reason}" for reason in plan.reasons),
        f"FROM python:{image.python}-slim",
        "RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*",
        *(f"ENV {name}={json.dumps(value)}" for name, value in sorted(image.image.env.items())),
        f"COPY layer{TESTBED} {TESTBED}",
        f"WORKDIR {TESTBED}",
        f"RUN python3 -m venv {VENV}",
        f"RUN {VENV}/bin/pip install --no-cache-dir {shlex.join(packages)}" if packages else "",
        f"RUN {VENV}/bin/pip install --no-cache-dir --no-deps --editable ." if plan.install == "editable" else "",
        *(f"RUN {command}" for command in plan.commands),
        f"CMD {json.dumps(shlex.split(image.test_command))}",
    ]
    return "\n".join(filter(None, lines)) + "\n"
