"""Environments side by side, in milliseconds, with a `podman run` per episode for comparison: one table, one JSON line.

    python bench/sandbox/environments.py [--rounds 20] [--files 200]

Every round measures every backend once, so that whatever else the machine does is shared; medians are told. Then episodes a
second, several at once: the bubblewrap backend's, and those of `podman run --rm` of the same image with the same command.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from foretrace.sandbox.environment import Backend, Environment, EnvironmentLimits, Image
from foretrace.sandbox.environments import backends, host, podman
from foretrace.sandbox.environments.engine import Engine, reference_of

LIMITS = EnvironmentLimits(memory_bytes=512 << 20, processes=128, disk_bytes=256 << 20)
COMMAND = ["bash", "-c", "echo x > x; ls > /dev/null"]
SHELL_COMMANDS = 20
"""In a measurement of the shell: one is too short to be timed."""
AT_ONCE, TURNS = 4, 4
Times = dict[str, list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--files", type=int, default=200, help="that an episode has changed when a snapshot is taken")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        image = make_image(Path(folder))
        probes = {name: backend.probe() for name, backend in backends().items()}
        usable = {name: backend for name, backend in backends().items() if probes[name].works}
        peer = podman_run(image) if "docker" in usable and shutil.which("podman") else None
        times: dict[str, Times] = {name: {} for name in [*usable, *(["podman run"] if peer else [])]}
        for number in range(options.rounds + 1):  # the first warms up
            for name, backend in usable.items():
                measure(backend, image, options.files, times[name] if number else {})
            if peer:
                timed(times["podman run"] if number else {}, "episode", peer)
        rates = throughput(usable["bubblewrap"], image, peer) if peer and "bubblewrap" in usable else {}
    print_results(times, rates)


def throughput(backend: Backend, image: Image, peer: Callable[[], object]) -> dict[str, float]:
    """Episodes a second with several at once, in turns: bubblewrap's and those of `podman run`."""

    def episode() -> None:
        with backend.open(image, LIMITS) as box:
            assert box.exec(COMMAND).code == 0

    spent, done = {"bubblewrap": 0.0, "podman run": 0.0}, {"bubblewrap": 0, "podman run": 0}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in range(TURNS):
            for name, work, number in (("bubblewrap", episode, 10 * AT_ONCE), ("podman run", peer, AT_ONCE)):
                started = time.perf_counter()
                for future in [pool.submit(work) for _ in range(number)]:
                    future.result()
                spent[name] += time.perf_counter() - started
                done[name] += number
    return {name: round(done[name] / spent[name], 1) for name in spent}


def make_image(folder: Path) -> Image:
    """A repository of a hundred small files."""
    for number in range(100):
        place = folder / f"testbed/package{number % 10}/module{number}.py"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"x = {number}\n" * 50)
    return Image(root=(folder,), digest=f"bench-{folder.name}", host=tuple(host.paths()))


def timed(times: Times, what: str, work: Callable[[], object], repeated: int = 1) -> None:
    """Adds how long `work` took, in milliseconds each time."""
    started = time.perf_counter()
    for _ in range(repeated):
        work()
    times.setdefault(what, []).append(1000 * (time.perf_counter() - started) / repeated)


def measure(backend: Backend, image: Image, files: int, times: Times) -> None:
    def episode() -> None:
        with backend.open(image, LIMITS) as box:
            assert box.exec(COMMAND).code == 0

    timed(times, "episode", episode)
    with backend.open(image, LIMITS) as box:
        timed(times, "exec", lambda: box.exec(["true"]))
        shell = box.shell()
        shell.run("true")
        timed(times, "shell", lambda: shell.run("true"), SHELL_COMMANDS)
        change = f"for i in $(seq {files}); do echo $i > f$i; done"
        assert shell.run(change).code == 0
        measure_snapshots(box, times)


def measure_snapshots(box: Environment, times: Times) -> None:
    taken = []
    timed(times, "snapshot", lambda: taken.append(box.snapshot()))
    timed(times, "fork", lambda: taken.append(box.fork(taken[0])))
    taken.pop().close()
    timed(times, "restore", lambda: box.restore(taken[0]))
    timed(times, "changes", box.changes)


def podman_run(image: Image) -> Callable[[], object]:
    """The same image and command as a container each time, as agents' harnesses do it."""
    Engine.connect().load(image)
    settings = Path(tempfile.gettempdir(), f"bench-podman-{os.getpid()}.conf")
    settings.write_text(podman.configuration())
    command = ["podman", "--root", str(podman.storage()), "--runroot", str(podman.running()), "--storage-driver", "overlay"]
    command += ["run", "--rm", "--network=none", "--memory=512m", "--pids-limit=128", "--entrypoint=", "--workdir=/testbed"]
    command += [word for path in image.host if not os.path.islink(path) for word in ("-v", f"{path}:{path}:ro")]
    command += [f"localhost/{reference_of(image)}", *COMMAND]
    env = os.environ | {"CONTAINERS_CONF": str(settings)}
    return lambda: subprocess.run(command, check=True, capture_output=True, env=env)


def print_results(times: dict[str, Times], rates: dict[str, float]) -> None:
    medians = {name: {what: round(statistics.median(each), 2) for what, each in own.items()} for name, own in times.items()}
    columns = ["episode", "exec", "shell", "snapshot", "fork", "restore", "changes"]
    print(f"{'':12}" + "".join(f"{column:>10}" for column in columns))
    for name, own in medians.items():
        print(f"{name:12}" + "".join(f"{own[column]:10.2f}" if column in own else f"{'':10}" for column in columns))
    ratio = None
    if rates:
        ratio = round(rates["bubblewrap"] / rates["podman run"], 1)
        each = ", ".join(f"{name} {rate}" for name, rate in rates.items())
        print(f"episodes a second, {AT_ONCE} at once: {each}; ratio {ratio}")
    print(json.dumps({"milliseconds": medians, "episodes a second": rates, "ratio": ratio}))


if __name__ == "__main__":
    main()
