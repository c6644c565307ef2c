"""Writes an image whose tests are good enough: files into the store, a manifest, a recipe, a log; then gives it its name.

finish(work / "image", out / "toolz-1.2.0", Parts(origin=…, box=…, attempts=…, best=…, command=…, checked=…, seconds=12.0))
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretrace import __version__
from foretrace.errors import SandboxError
from foretrace.repos import history, leaks
from foretrace.repos.attempt import Attempt
from foretrace.repos.check import LAYER_DIGESTS
from foretrace.repos.image import INTERPRETERS, LAYER, MANIFEST, RepoImage, load_image
from foretrace.repos.install import Box
from foretrace.repos.plan import TESTBED, VENV
from foretrace.repos.recipe import containerfile
from foretrace.repos.sources import Origin
from foretrace.repos.store import Absorbed, Store, digest_of
from foretrace.repos.testing import TestCommand
from foretrace.repos.verify import Verified

STORE = ".store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What an image is made of."""

    origin: Origin
    box: Box
    attempts: Sequence[Attempt]
    best: Attempt
    """The one of them that became the image."""
    command: TestCommand
    checked: Verified
    seconds: float
    """That it took so far."""


def finish(folder: Path, place: Path, parts: Parts) -> RepoImage:
    """Writes an image into a folder and moves it to its place, if nothing is there by now.

    Raises:
        SandboxError: it cannot be put there.

    """
    folder.mkdir()
    parts.best.installed.layer.rename(folder / LAYER)
    absorbed = Store(place.parent / STORE).absorb(folder / LAYER)
    history.settle_index(folder / LAYER / TESTBED[1:])
    image = _image(folder, parts, absorbed)
    (folder / "build.log").write_text("\n".join(attempt.log for attempt in parts.attempts), errors="replace")
    (folder / "Containerfile").write_text(containerfile(image))
    (folder / MANIFEST).write_text(json.dumps(image.as_json(), indent=1) + "\n")
    try:
        folder.rename(place)
    except OSError as error:
        if not (place / MANIFEST).exists():  # else another process was faster
            raise SandboxError(f"{place}: the image cannot be put there: {error.strerror}") from error
    return load_image(place)


def _image(folder: Path, parts: Parts, absorbed: Absorbed) -> RepoImage:
    interpreter = [f"../{INTERPRETERS}/{parts.box.interpreter.name}"] if parts.box.interpreter_layer else []
    return RepoImage(
        folder=folder,
        origin=parts.origin,
        head=parts.best.head,
        digest=_whole_digest(absorbed.digest, parts.box),
        layers=(LAYER, *interpreter),
        python=parts.box.interpreter.version,
        packages=installed_packages(folder / LAYER),
        modules=tuple(leaks.modules(folder / LAYER / TESTBED[1:], parts.origin.name)),
        plan=parts.best.plan,
        command=parts.command,
        tests=parts.checked.tests,
        seconds=round(min(run.seconds for run in parts.checked.runs), 3),
        build_seconds=round(parts.seconds, 3),
        bytes=absorbed.bytes,
        new_bytes=absorbed.new_bytes,
        notes=_notes(parts, absorbed),
    )


def _notes(parts: Parts, absorbed: Absorbed) -> dict[str, Any]:
    first = parts.checked.first
    return {
        "attempts": [{"reason": attempt.reason, "plan": attempt.plan.as_json()} for attempt in parts.attempts],
        "backend": parts.box.backend,
        "gaps": list(parts.best.installed.gaps),
        "used_network": parts.best.installed.used_network,
        "pytest": first.versions.get("pytest", ""),
        "foretrace": __version__,
        "uncollected": dict(first.uncollected),
        "runs": len(parts.checked.runs),
        "files": absorbed.files,
        LAYER_DIGESTS: {LAYER: absorbed.digest},
    }


def _whole_digest(layer: str, box: Box) -> str:
    """Of all layers: that of an interpreter is kept beside it, as it is the same for all images."""
    if box.interpreter_layer is None:
        return layer
    kept = box.interpreter_layer.with_name(f".{box.interpreter_layer.name}.digest")
    if not kept.exists():
        kept.write_text(digest_of(box.interpreter_layer))
    return "sha256:" + hashlib.sha256(f"{layer}\n{kept.read_text()}".encode()).hexdigest()


def installed_packages(layer: Path) -> dict[str, str]:
    """Names and versions of what is installed in a layer."""
    metadata = sorted((layer / VENV[1:]).glob("lib/python*/site-packages/*.dist-info"))
    pairs = (path.name.removesuffix(".dist-info").partition("-") for path in metadata)
    return {name.replace("_", "-").lower(): version for name, _, version in pairs}
