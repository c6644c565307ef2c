"""Images as archives, in and out: what Docker, Podman and registries call an OCI image.

    image = oci.unpack("image.tar", folder)          # `docker save`, `podman save`, `skopeo copy … oci-archive:image.tar`
    digest = oci.pack(image, "image.tar")            # `podman load -i image.tar`, `docker load -i image.tar`

Layers are unpacked one over another into one folder (`layer_tar`). Nothing in an archive is trusted: digests are checked,
and an image sees no more of this machine than its system. Packing the same layers twice gives the same bytes. Sources: OCI
image-spec 1.1 (`image-layout`, `config`); `manifest.json` is Docker's older index.
"""

import hashlib
import io
import json
import os
import posixpath
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from foretrace.errors import SandboxError
from foretrace.sandbox.environment import Image
from foretrace.sandbox.environments import host, layer_tar

HOST = "org.foretrace.host"
"""Label that keeps `Image.host`."""
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_MANIFEST, _CONFIG = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.config.v1+json"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_NO_TIME = "1970-01-01T00:00:00Z"
_MOST_TEXT = 64 << 20


# ---- in


def unpack(archive: Path, folder: Path, *, most_bytes: int = 64 << 30) -> Image:
    """Unpacks the first image of an archive into a new folder.

    Raises:
        SandboxError: it is no such archive, is damaged, or holds more than `most_bytes`.

    """
    try:
        with tarfile.open(archive) as outer:
            config_blob, layers = _contents(outer)
            folder.mkdir(parents=True)
            root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                left = most_bytes
                for layer in layers:
                    with _open(outer, layer) as file:
                        left = layer_tar.unpack(file, root, left)
            finally:
                os.close(root)
            return _image(json.loads(config_blob), folder)
    except (tarfile.TarError, zlib.error, OSError, EOFError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise SandboxError(f"{archive} is no OCI or Docker archive that can be unpacked: {error}") from error


def _contents(outer: tarfile.TarFile) -> tuple[bytes, list[str]]:
    """The configuration, and names of the layers' files, lowest first; those that have a digest fit it."""
    names = set(outer.getnames())
    if "index.json" in names:
        index = json.loads(_blob(outer, "index.json"))
        manifest = json.loads(_checked(outer, index["manifests"][0]["digest"]))
        if "manifests" in manifest:  # of several machines: the first
            manifest = json.loads(_checked(outer, manifest["manifests"][0]["digest"]))
        layers = [layer["digest"] for layer in manifest["layers"]]
        for digest in layers:
            _verify(outer, digest)
        return _checked(outer, manifest["config"]["digest"]), [_path(digest) for digest in layers]
    manifest = json.loads(_blob(outer, "manifest.json"))[0]
    return _blob(outer, manifest["Config"]), manifest["Layers"]


def _image(settings: dict[str, Any], folder: Path) -> Image:
    config = settings.get("config") or {}
    env = dict(variable.split("=", 1) for variable in config.get("Env") or () if "=" in variable)
    labels = config.get("Labels") or {}
    digest = hashlib.sha256("\n".join(settings["rootfs"]["diff_ids"]).encode()).hexdigest()
    borrowed = _borrowed(labels.get(HOST, "[]"))
    return Image(root=(folder,), workdir=config.get("WorkingDir") or "/", env=env, digest=f"sha256:{digest}", host=borrowed)


def _borrowed(label: str) -> tuple[str, ...]:
    """What an image wants to see of this machine: its system, and never a home, whoever wrote the label."""
    wanted, system = json.loads(label), host.paths()
    for path in wanted:
        is_plain = isinstance(path, str) and posixpath.normpath(path) == path
        if not is_plain or not any(path == known or path.startswith(f"{known}/") for known in system):
            raise SandboxError(f"the archive wants its boxes to see {path!r} of this machine, which is none of its system")
    return tuple(wanted)


def _path(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256" or not value.isalnum():
        raise SandboxError(f"a digest in the archive is not SHA-256: {digest!r}")
    return f"blobs/sha256/{value}"


def _open(outer: tarfile.TarFile, name: str) -> IO[bytes]:
    file = outer.extractfile(name)
    if file is None:
        raise SandboxError(f"{name} in the archive is no file")
    return file


def _blob(outer: tarfile.TarFile, name: str) -> bytes:
    with _open(outer, name) as file:
        data = file.read(_MOST_TEXT + 1)
    if len(data) > _MOST_TEXT:
        raise SandboxError(f"{name} in the archive is larger than {_MOST_TEXT:,} bytes")
    return data


def _checked(outer: tarfile.TarFile, digest: str) -> bytes:
    _verify(outer, digest)
    return _blob(outer, _path(digest))


def _verify(outer: tarfile.TarFile, digest: str) -> None:
    with _open(outer, _path(digest)) as file:
        whole = hashlib.sha256()
        while piece := file.read(layer_tar.PIECE):
            whole.update(piece)
    if f"sha256:{whole.hexdigest()}" != digest:
        raise SandboxError(f"the archive is damaged: {digest} is not what its name says")


# ---- out


def pack(image: Image, archive: Path, *, base: Sequence[Path] = (), name: str = "") -> str:
    """Writes an image, on further layers `base`, as an archive of both kinds; its digest.

    Raises:
        SandboxError: it cannot be written.

    """
    try:
        with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as outer:
            layers = [_pack_layer(outer, layer) for layer in reversed((*image.root, *base))]
            config = _add_blob(outer, _dump(_configuration(image, [digest for digest, _ in layers])))
            entries = [{"mediaType": _LAYER, "digest": digest, "size": size} for digest, size in layers]
            described = {"mediaType": _CONFIG, "digest": config[0], "size": config[1]}
            manifest = _add_blob(
                outer, _dump({"schemaVersion": 2, "mediaType": _MANIFEST, "config": described, "layers": entries})
            )
            reference = {"mediaType": _MANIFEST, "digest": manifest[0], "size": manifest[1]}
            if name:
                reference["annotations"] = {"org.opencontainers.image.ref.name": name}
            docker = {
                "Config": _path(config[0]),
                "RepoTags": [name] if name else [],
                "Layers": [_path(d) for d, _ in layers],
            }
            _add(outer, "index.json", _dump({"schemaVersion": 2, "manifests": [reference]}))
            _add(outer, "manifest.json", _dump([docker]))
            _add(outer, "oci-layout", _dump({"imageLayoutVersion": "1.0.0"}))
            return manifest[0]
    except OSError as error:
        raise SandboxError(f"cannot write the archive {archive}: {error}") from error


def _configuration(image: Image, digests: list[str]) -> dict[str, Any]:
    machine = os.uname().machine
    env = [f"{name}={value}" for name, value in sorted(image.env.items())]
    config = {"Env": env, "WorkingDir": image.workdir, "Labels": {HOST: json.dumps(list(image.host))}}
    return {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": config,
        "history": [{"created": _NO_TIME, "created_by": "foretrace"} for _ in digests],  # Podman counts it at each commit
        "rootfs": {"type": "layers", "diff_ids": digests},
    }


def _dump(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _add(outer: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    outer.addfile(entry, io.BytesIO(content))


def _add_blob(outer: tarfile.TarFile, content: bytes) -> tuple[str, int]:
    digest = hashlib.sha256(content).hexdigest()
    _add(outer, f"blobs/sha256/{digest}", content)
    return f"sha256:{digest}", len(content)


def _pack_layer(outer: tarfile.TarFile, folder: Path) -> tuple[str, int]:
    """Adds a layer; its digest and its size. It is written beside the archive first, since its name is its digest."""
    place = Path(str(outer.name) + ".layer")
    try:
        layer_tar.pack(folder, place)
        with place.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            entry = tarfile.TarInfo(f"blobs/sha256/{digest}")
            entry.size = place.stat().st_size
            if entry.name not in outer.getnames():
                outer.addfile(entry, file)
        return f"sha256:{digest}", entry.size
    finally:
        place.unlink(missing_ok=True)
