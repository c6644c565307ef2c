"""The inside of `keeper`: a process with mounts of its own, which forks for whatever is asked of it.

Environments are folders below `store`, a file system in memory that nobody else sees:

    store/NAME         a tmpfs of the environment's size, whose removal removes all
    store/NAME/upper   what it has written, with overlayfs's own folder, work
    store/NAME/base    its lowest layer: folders that the host's files are bound on, a small /etc
    store/NAME/root    the overlay; what boxes see as /
    store/NAME/shell   the command of the shell, bound read-only into its box
    store/snapshots    copies of uppers

When this process ends, the kernel takes the mounts away with it, and a box dies with its parent: that is the whole of
cleaning up after a crash. Each request is a memory file (JSON) and a socket for the answer, with further descriptors; a
fork of this process answers, so that no request waits for another, and what goes wrong is its own.
"""

import gc
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from foretrace.sandbox import confine
from foretrace.sandbox.environments import attendant, host, mounts, reaper
from foretrace.sandbox.environments.serving import Answer, Work, serve
from foretrace.sandbox.server import remove_tree

_DEATH_SECONDS = 5.0


class _Keeper:
    """What is the same for all requests."""

    def __init__(self, store: str, user: int, *, has_mounts: bool) -> None:
        self.store, self.user = Path(store), user
        self.is_rootless = mounts.enter_namespaces() if has_mounts else os.geteuid() != 0
        if has_mounts:
            mounts.tmpfs(store, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2, mode="0711")
        (self.store / "snapshots").mkdir(mode=0o711)
        self.owners = mounts.owners(user) if has_mounts and user else None

    # ---- environments

    def open(self, request: dict[str, Any], files: list[int], reply: socket.socket) -> Answer:
        """Builds the file system of an environment; answers with root, upper, shell, snapshots, attendant."""
        folder = self.store / request["name"]
        self._make(folder, request["size"], request["scratch"])
        snapshots = [str(self.store / "snapshots" / name) for name in request["snapshots"]]
        layers, user = self._layers(folder, request["layers"])
        upper, work, base = (folder / name for name in ("upper", "work", "base"))
        for path in (upper, work, base):
            path.mkdir(mode=0o755, exist_ok=True)
        bound = host.lay(base, request["host"], request["texts"])
        self._own([base, upper, *base.rglob("*")], user)
        root = str(folder / "root")
        lower = [*snapshots, *layers, str(base)]
        mounts.overlay(root, lower=lower, upper=str(upper), work=str(work), is_rootless=self.is_rootless)
        for source in bound:
            mounts.clone_tree(source, root + source)
        opened = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in (root, upper, folder / "shell", *snapshots)]
        if request["groups"]:
            opened.append(attendant.start(request["groups"]))
        return {"root": root, "shell": str(folder / "shell"), "user": user}, opened

    def _make(self, folder: Path, size: int, scratch: str | None) -> None:
        folder.mkdir()
        if scratch is None:
            mounts.tmpfs(str(folder), size, mode="0711")
        else:
            mounts.bind(scratch, str(folder))
            folder.chmod(0o711)
        for name in ("root", "shell"):
            (folder / name).mkdir(mode=0o755)

    def _layers(self, folder: Path, layers: list[str]) -> tuple[list[str], int]:
        """The image's layers, owned by the box's user, and that user; where they cannot be, as they are, and root."""
        if self.owners is None:
            return layers, 0
        clones = []
        try:
            for number, layer in enumerate(layers):
                clone = folder / f"layer{number}"
                clone.mkdir(mode=0o755)
                mounts.clone_tree(layer, str(clone), self.owners)
                clones.append(str(clone))
        except OSError:
            return layers, 0
        return clones, self.user

    def _own(self, paths: list[Path], user: int) -> None:
        if user:
            for path in paths:
                os.chown(path, user, user, follow_symlinks=False)

    def close(self, request: dict[str, Any], files: list[int], reply: socket.socket) -> Answer:
        """Takes an environment's file system away."""
        folder = str(self.store / request["name"])
        with suppress(OSError):  # it was never mounted
            mounts.detach(folder)
        shutil.rmtree(folder, ignore_errors=True)
        return {}, []

    # ---- snapshots

    def copy(self, request: dict[str, Any], files: list[int], reply: socket.socket) -> Answer:
        """Copies an environment's upper."""
        source, target = self.store / request["name"] / "upper", self.store / "snapshots" / request["snapshot"]
        command = ["cp", "-a", "--reflink=auto", "--", f"{source}/.", str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return ({"error": done.stderr.strip()[-1000:]} if done.returncode else {}), []

    def forget(self, request: dict[str, Any], files: list[int], reply: socket.socket) -> Answer:
        """Removes a copy."""
        shutil.rmtree(self.store / "snapshots" / request["name"], ignore_errors=True)
        return {}, []

    # ---- processes

    def sweep(self, request: dict[str, Any], files: list[int], reply: socket.socket) -> Answer:
        """Kills all processes of a PID namespace but its first, in one go: a fork bomb cannot run away from it."""
        try:
            mounts.setns(os.pidfd_open(request["process"]), mounts.CLONE_NEWUSER | mounts.CLONE_NEWPID)
        except ProcessLookupError:  # it has ended, and all with it
            return {}, []
        child = os.fork()  # only children are in the namespace
        if child == 0:
            try:
                os.kill(-1, signal.SIGKILL)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        return {}, []


def main() -> NoReturn:
    """Serves until its owner hangs up or dies. The argument is a JSON object: see `keeper.Keeper`."""
    settings = json.loads(sys.argv[-1])
    control = socket.socket(fileno=settings["control"])
    try:
        owner = os.pidfd_open(settings["owner"])
        confine.adopt_orphans()
        keeper = _Keeper(settings["store"], settings["user"], has_mounts=settings["has_mounts"])
        control.send(json.dumps({"rootless": keeper.is_rootless}).encode())
    except OSError as error:
        with suppress(OSError):
            control.send(json.dumps({"error": str(error)}).encode())
        os._exit(1)
    gc.freeze()  # a fork then shares these objects for good
    apart: dict[str, Work] = {"copy": keeper.copy, "forget": keeper.forget, "sweep": keeper.sweep, "spawn": attendant.spawn}
    if not serve(control, {"open": keeper.open, "close": keeper.close}, apart, owner):
        _wait(owner, _DEATH_SECONDS)  # its files are closed a moment before it is dead, as the reaper wants to see it
    _leave(settings["store"], has_mounts=settings["has_mounts"])


def _wait(process: int, seconds: float) -> None:
    waiting = select.poll()
    waiting.register(process, select.POLLIN)
    waiting.poll(seconds * 1000)


def _leave(store: str, *, has_mounts: bool) -> NoReturn:
    """Takes the folder away, and what the owner has left if it was killed; forks and boxes die with this process."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if has_mounts:
            mounts.detach(store)
        reaper.reap()
        remove_tree(store)
    finally:
        os._exit(0)
