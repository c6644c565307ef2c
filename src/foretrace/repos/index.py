"""Source distributions from a package index, without running anything of them, as `pip download` would for their metadata.

    file = find_sdist("isodate", "0.7.2")
    file.url, file.sha256
    download(file, folder)

Which index, and with what certificates, is what pip is configured for; a mirror that speaks PEP 691's JSON is enough.
"""

import base64
import hashlib
import json
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urljoin, urlsplit, urlunsplit

from foretrace.errors import UsageError

_JSON = "application/vnd.pypi.simple.v1+json"
_SUFFIXES = (".tar.gz", ".zip", ".tar.bz2", ".tgz")
_SECONDS = 60
_MAX_BYTES = 500_000_000
_DEFAULT = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"


@dataclass(frozen=True, slots=True)
class Distribution:
    """A file of an index."""

    name: str
    url: str
    sha256: str
    """Empty if the index does not say."""
    uploaded: str = ""
    """When, as the index has it."""


def find_sdist(name: str, version: str) -> Distribution:
    """The source distribution of one version.

    Raises:
        UsageError: there is none, or the index cannot be reached.

    """
    base = f"{_index().rstrip('/')}/{re.sub(r'[-_.]+', '-', name).lower()}/"
    listed = json.loads(_get(base, accept=_JSON))
    found = [file for file in listed.get("files", []) if _version_of(str(file.get("filename", "")), name) == version]
    if not found:
        raise UsageError(f"{name}=={version}: the index has no source distribution of it")
    file = min(found, key=lambda each: _SUFFIXES.index(_suffix(each["filename"])))
    hashes = file.get("hashes", {})
    url = urljoin(base, file["url"])
    return Distribution(file["filename"], url, str(hashes.get("sha256", "")), str(file.get("upload-time", "")))


def download(file: Distribution, folder: Path) -> Path:
    """Fetches a file, unless it is there already, and compares its hash.

    Raises:
        UsageError: it cannot be had, or is another than the index says.

    """
    path = folder / file.name
    if not path.exists() or _hash(path.read_bytes()) != file.sha256:
        data = _get(file.url)
        if file.sha256 and _hash(data) != file.sha256:
            raise UsageError(f"{file.name}: its SHA-256 is not the one that the index tells; try again, or another index")
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{hashlib.sha256(str(path).encode()).hexdigest()[:8]}")
        partial.write_bytes(data)
        partial.replace(path)
    return path


def pip_settings() -> Mapping[str, str]:
    """What pip is configured for, by the names of its options, as `index-url` and `cert`."""
    return _settings(sys.executable)


@cache
def _settings(python: str) -> Mapping[str, str]:
    answer = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, timeout=60, check=False)
    pairs = (line.partition("=") for line in answer.stdout.splitlines())
    return {name.rsplit(".", 1)[-1]: value.strip().strip("'\"") for name, equals, value in pairs if equals}


@cache
def _index() -> str:
    configured = pip_settings().get("index-url", "")
    if configured:
        return configured
    answer = subprocess.run([sys.executable, "-c", _DEFAULT], capture_output=True, text=True, timeout=60, check=False)
    if answer.returncode:
        raise UsageError("no package index is known; set one: pip config set global.index-url https://HOST/simple")
    return answer.stdout.strip()


def _get(url: str, accept: str = "*/*") -> bytes:
    parts = urlsplit(url)
    headers = {"Accept": accept, "User-Agent": "foretrace"}
    if parts.username:
        secret = base64.b64encode(f"{parts.username}:{parts.password or ''}".encode()).decode()
        headers["Authorization"] = f"Basic {secret}"
    place = parts.netloc.rpartition("@")[2]
    plain = urlunsplit((parts.scheme, place, parts.path, parts.query, ""))
    if parts.scheme not in ("http", "https"):
        raise UsageError(f"{plain}: a package index is reached by http or https")
    context = ssl.create_default_context(cafile=pip_settings().get("cert") or None)
    try:
        with urllib.request.urlopen(
            urllib.request.Request(plain, headers=headers), timeout=_SECONDS, context=context
        ) as answer:
            data: bytes = answer.read(_MAX_BYTES + 1)
    except urllib.error.HTTPError as error:
        raise UsageError(f"{plain}: {error.code} {error.reason}; is the name right?") from error
    except OSError as error:
        raise UsageError(
            f"{plain} cannot be reached ({error}); is there a network, and is pip configured for it?"
        ) from error
    if len(data) > _MAX_BYTES:
        raise UsageError(f"{plain}: larger than {_MAX_BYTES:,} bytes")
    return data


def _suffix(filename: str) -> str:
    return next((suffix for suffix in _SUFFIXES if filename.endswith(suffix)), "")


def _version_of(filename: str, name: str) -> str:
    """The version of an sdist's file name; empty if it is none of that project."""
    suffix = _suffix(filename)
    stem, _, version = filename.removesuffix(suffix).rpartition("-")
    is_same = re.sub(r"[-_.]+", "-", stem).lower() == re.sub(r"[-_.]+", "-", name).lower()
    return version if suffix and is_same else ""


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
