"""Carries out a plan in a box: a fresh file system, the sources, an interpreter, wheels, and by default no network.

    done = install(plan, source, box, work)            # Installed(ok, log, layer, …)

`setup.py`, build backends and shell commands are anybody's code: all that they can reach is the box, and what is taken out
of it are the files under `/testbed` and `/opt/venv`, and nothing but files, folders and links.
"""

import os
import re
import shlex
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from foretrace.errors import SandboxError
from foretrace.repos.image import environment_of, system
from foretrace.repos.index import pip_settings
from foretrace.repos.interpreters import Interpreter
from foretrace.repos.plan import TESTBED, VENV, InstallPlan
from foretrace.repos.store import walk
from foretrace.repos.wheels import TOOLS, Wheelhouse
from foretrace.sandbox.environment import EnvironmentLimits, Image, Status
from foretrace.sandbox.environments import open_environment

BUILD = "/opt/build"
"""Where a box has what only building needs: sources, wheels, pip."""
LIMITS = EnvironmentLimits(
    memory_bytes=4 << 30, processes=1024, cpu_seconds=1800, disk_bytes=4 << 30, output_bytes=1 << 20, seconds=3600
)
_STEP_SECONDS = 1200.0
_LEFTOVERS = {"__pycache__", ".eggs", ".pytest_cache"}
_NETWORK = ("/etc/ssl", "/etc/ca-certificates")
"""What a box sees of the host to know whom it talks to."""
WITH_NETWORK = "# with the network\n"
"""A line of the log: what follows ran with it."""
_UNAVAILABLE = re.compile(r"No matching distribution|No solution found|not found in the provided package locations")
"""What pip and uv say where wheels do not suffice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """What a build is given."""

    interpreter: Interpreter
    interpreter_layer: Path | None
    wheels: Wheelhouse
    backend: str
    uv: Path | None = None
    """Installs, if it is given; else pip does."""
    network: bool = True
    """Whether the build itself may reach the network, if wheels do not suffice."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Variables that tell build backends the version, as there is no history to read it from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What became of a plan."""

    ok: bool
    log: str
    layer: Path
    """With `testbed` and `opt/venv`, if it is ok."""
    used_network: bool = False
    gaps: tuple[str, ...] = ()


def install(plan: InstallPlan, source: Path, box: Box, work: Path) -> Installed:
    """Carries out a plan, first with wheels alone and then, where those do not suffice, with the network.

    Args:
        plan: what to do.
        source: the repository's files, which are copied.
        box: what there is to do it with.
        work: an empty folder, for this.

    Raises:
        SandboxError: there is no box to be had.

    """
    stage = work / "stage"
    shutil.copytree(source, stage / f"{BUILD[1:]}/source", symlinks=True)
    wheels = stage / f"{BUILD[1:]}/wheels"
    base = box.wheels.fetch(TOOLS, box.interpreter, wheels)
    build = box.wheels.fetch([*plan.build_requirements], box.interpreter, wheels)
    tests = box.wheels.fetch([*plan.requirements, *plan.dependencies], box.interpreter, wheels)
    log = "".join(f"# wheels: {each.log}\n" for each in (base, build, tests) if each.log)
    if not base.is_complete:
        return Installed(ok=False, log=log, layer=work / "layer")
    done = _run(plan, stage, box, work, network=False)
    is_short = not (build.is_complete and tests.is_complete) or _UNAVAILABLE.search(done.log) is not None
    if not done.ok and box.network and is_short:
        shutil.rmtree(done.layer, ignore_errors=True)
        again = _run(plan, stage, box, work, network=True)
        done = Installed(ok=again.ok, log=done.log + again.log, layer=again.layer, used_network=True, gaps=again.gaps)
    shutil.rmtree(stage)
    return Installed(ok=done.ok, log=log + done.log, layer=done.layer, used_network=done.used_network, gaps=done.gaps)


def _run(plan: InstallPlan, stage: Path, box: Box, work: Path, *, network: bool) -> Installed:
    """All steps, in one box."""
    layers = (
        stage,
        box.wheels.tools(box.interpreter, box.uv, BUILD),
        *([box.interpreter_layer] if box.interpreter_layer else []),
    )
    host = system() + (tuple(path for path in _NETWORK if os.path.exists(path)) if network else ())
    image = Image(root=layers, workdir="/", env=environment_of(plan), host=host)
    variables = {**_variables(stage, network), **box.versions}
    log = WITH_NETWORK if network else "# without a network\n"
    layer, result = work / "layer", work / "upper"
    with open_environment(image, LIMITS, backend=box.backend, network=network) as environment:
        for step in _steps(plan, box):
            done = environment.exec(["/bin/bash", "-c", step], cwd="/", seconds=_STEP_SECONDS, env=variables)
            if done.status is Status.BROKEN:
                raise SandboxError(f"the sandbox {box.backend!r} broke while building: {_text(done.output)[-500:]}")
            log += f"$ {step}\n{_text(done.output)}# {done.seconds:.1f} s\n"
            if done.code or done.status is not Status.OK:
                log += f"# {done.status}, exit code {done.code}\n"
                return Installed(ok=False, log=log, layer=layer, gaps=environment.gaps)
        environment.commit(result)
        gaps = environment.gaps
    wrong = take(result, layer)
    shutil.rmtree(result, ignore_errors=True)
    return Installed(ok=not wrong, log=log + wrong, layer=layer, used_network=network, gaps=gaps)


def _steps(plan: InstallPlan, box: Box) -> list[str]:
    """Shell commands that make an image of the sources."""
    requirements = shlex.join(dict.fromkeys(plan.requirements))
    extras = f"[{','.join(plan.extras)}]" if plan.extras else ""
    installer = f"{BUILD}/uv pip" if box.uv else f"{VENV}/bin/python {BUILD}/pip"
    pip = f"{installer} install"
    steps = [f"cp -a {BUILD}/source {TESTBED}", f"{box.interpreter.path} -m venv --without-pip {VENV}"]
    if plan.install == "editable":
        steps.append(f"{pip} {requirements} --editable {shlex.quote(TESTBED + extras)}")
    else:
        needed = shlex.join(dict.fromkeys([*plan.requirements, *plan.dependencies]))
        steps.append(f"{pip} {needed}")
        if plan.install == "path":
            lines = "\\n".join(os.path.normpath(f"{TESTBED}/{path}") for path in plan.paths)
            steps.append(f"printf '{lines}\\n' > \"$({VENV}/bin/python -c {_PURELIB})\"/testbed.pth")
    pip_alone = "pip() { " + f'{installer} "$@"' + "; }; python() { " + _PYTHON + "; }; "
    steps += [f"cd {TESTBED} && {pip_alone}{command}" for command in plan.commands]
    steps.append(f"{VENV}/bin/python -m compileall -q --invalidation-mode checked-hash {VENV}/lib || true")
    return steps


_PURELIB = shlex.quote("import sysconfig; print(sysconfig.get_path('purelib'))")
_PYTHON = f'if [ "$1 $2" = "-m pip" ]; then shift 2; pip "$@"; else {VENV}/bin/python "$@"; fi'
"""`python -m pip`, as commands of workflows have it, finds the pip that the image does not have."""


def _variables(stage: Path, network: bool) -> dict[str, str]:
    """The configuration of pip and uv in the box; where it is on the network, that of this machine's pip."""
    found = {"HOME": "/tmp/home", "PIP_FIND_LINKS": f"{BUILD}/wheels", "UV_FIND_LINKS": f"{BUILD}/wheels"}
    found |= {"PIP_NO_CACHE_DIR": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_QUIET": "1"}
    found |= {"PIP_ROOT_USER_ACTION": "ignore", "PIP_COMPILE": "0", "UV_NO_CONFIG": "1", "UV_LINK_MODE": "copy"}
    found |= {
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "UV_NO_INSTALLER_METADATA": "1",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }
    if not network:
        return {**found, "PIP_NO_INDEX": "1", "UV_NO_INDEX": "1", "UV_OFFLINE": "1"}
    settings = pip_settings()
    for name, ours in _SETTINGS.items():
        value = " ".join(part for part in settings.get(name, "").split() if not part.startswith(("file:", "/")))
        found |= dict.fromkeys(ours, value) if value else {}
    certificates = settings.get("cert", "")
    if certificates and Path(certificates).is_file():
        shutil.copyfile(certificates, stage / f"{BUILD[1:]}/certificates.pem")
        found |= dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), f"{BUILD}/certificates.pem")
    return found


_SETTINGS = {
    "index-url": ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
    "extra-index-url": ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
    "proxy": ("PIP_PROXY", "HTTPS_PROXY"),
    "trusted-host": ("PIP_TRUSTED_HOST",),
    "timeout": ("PIP_TIMEOUT", "UV_HTTP_TIMEOUT"),
}
"""Settings of pip, and the variables that tell them."""


def take(result: Path, layer: Path) -> str:
    """Moves what an image keeps of a box: two folders, without anything but files, folders and links.

    Nothing is followed: what lies in `result` was written by whoever was in the box. The result is what is wrong with it.
    """
    for kept in (TESTBED[1:], VENV[1:]):
        folders = [result / part for part in (*PurePosixPath(kept).parents, PurePosixPath(kept))]
        if any(folder.is_symlink() or not folder.is_dir() for folder in folders):
            return f"/{kept} is no folder any more"
    for kept in (TESTBED[1:], VENV[1:]):
        (layer / kept).parent.mkdir(parents=True, exist_ok=True)
        (result / kept).rename(layer / kept)
    for path in walk(layer):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
            path.unlink()
    return ""


def remove_leftovers(testbed: Path, source_files: Sequence[str]) -> None:
    """Removes what building left in the repository and tests do without: caches, builds, old environments."""
    kept = {folder.as_posix() for file in source_files for folder in PurePosixPath(file).parents}
    for path in [*walk(testbed)]:
        name = path.relative_to(testbed).as_posix()
        is_leftover = path.name in _LEFTOVERS or name in ("build", "dist")
        if is_leftover and name not in kept and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)


def _text(output: bytes | str) -> str:
    text = output.decode(errors="replace") if isinstance(output, bytes) else output
    return text if not text or text.endswith("\n") else f"{text}\n"
