"""What each test of an image runs, found out once by running them all.

spectrum = spectrum_of(image)
spectrum.covered(image.passing)
"""

from pathlib import Path

from foretrace.errors import SandboxError
from foretrace.forager.spectrum import Spectrum, read_spectrum
from foretrace.repos.image import RepoImage
from foretrace.repos.verify import LIMITS
from foretrace.sandbox.environment import Environment, EnvironmentLimits
from foretrace.sandbox.environments import open_environment

_PLUGIN = Path(__file__).parent.with_name("spectrum_plugin.py")
_FOLDER = "/tmp/foretrace.spectrum"


def spectrum_of(
    image: RepoImage, *, seconds: float = 1800.0, backend: str = "bubblewrap", limits: EnvironmentLimits = LIMITS
) -> Spectrum:
    """Runs all tests of an image, slowly, and tells which lines each of them runs.

    Raises:
        SandboxError: no test was run at all.

    """
    with open_environment(image.image, limits, backend=backend) as environment:
        return spectrum_in(environment, image, seconds=seconds)


def spectrum_in(environment: Environment, image: RepoImage, *, seconds: float = 1800.0) -> Spectrum:
    """The same in an environment that is open, with its files as they are.

    Raises:
        SandboxError: no test was run at all.

    """
    environment.write(f"{_FOLDER}/{_PLUGIN.name}", _PLUGIN.read_bytes())
    own = {"FORETRACE_SPECTRUM": f"{_FOLDER}/lines.jsonl", "PYTHONPATH": _FOLDER}
    command = image.command
    ran = environment.exec(
        [
            command.python,
            "-m",
            "pytest",
            "-p",
            _PLUGIN.stem,
            "-p",
            "no:cacheprovider",
            "--rootdir=.",
            "-q",
            *command.arguments,
        ],
        seconds=seconds,
        env={**command.environment, **own},
    )
    try:
        return read_spectrum(environment.read(f"{_FOLDER}/lines.jsonl").decode())
    except SandboxError as error:
        told = ran.output.decode(errors="replace").strip()[-500:]
        raise SandboxError(f"the tests of {image.name} did not begin while lines were watched: {told}") from error
