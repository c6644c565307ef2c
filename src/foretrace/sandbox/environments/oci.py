"""Images as archives, in and out: what Docker, Podman and registries call an OCI image.

    image = oci.unpack("image.tar", folder)          # `docker save`, `podman save`, `skopeo copy … oci-archive:image.tar`
    digest = oci.pack(image, "image.tar")            # `podman load -i image.tar`, `docker load -i image.tar`

Layers are unpacked one over another into one folder. Nothing in an archive is trusted: digests are checked, every name
is resolved within the folder by the kernel, devices, pipes and set-user bits are left out. Packing the same layers
twice gives the same bytes. Sources: OCI image-spec 1.1 (`image-layout`, `layer`, `config`); `manifest.json` is Docker's
older index.
"""

import gzip
import hashlib
import io
import json
import os
import posixpath
import shutil
import stat
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from foretrace.errors import SandboxError
from foretrace.sandbox.environment import Image
from foretrace.sandbox.environments import files, host
from foretrace.sandbox.environments.layers import is_whiteout
from foretrace.sandbox.server import remove_tree

HOST = "org.foretrace.host"
"""Label that keeps `Image.host`."""
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_MANIFEST, _CONFIG = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.config.v1+json"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_NO_TIME = "1970-01-01T00:00:00Z"
_PIECE, _MOST_TEXT = 1 << 20, 64 << 20


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
                    left = _unpack_layer(outer, layer, root, left)
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
        while piece := file.read(_PIECE):
            whole.update(piece)
    if f"sha256:{whole.hexdigest()}" != digest:
        raise SandboxError(f"the archive is damaged: {digest} is not what its name says")


def _unpack_layer(outer: tarfile.TarFile, name: str, root: int, left: int) -> int:
    """Unpacks one layer over what is there; how many bytes are left for others."""
    with _open(outer, name) as raw:
        magic = raw.read(4)
        raw.seek(0)
        if magic == b"\x28\xb5\x2f\xfd":
            raise SandboxError("a layer is compressed with zstd; save the image with gzip or uncompressed layers")
        stream: IO[bytes] = gzip.GzipFile(fileobj=raw) if magic[:2] == b"\x1f\x8b" else raw  # type: ignore[assignment]
        with tarfile.open(fileobj=stream, mode="r|") as layer:
            for member in layer:
                left -= member.size
                if left < 0:
                    raise SandboxError("the archive holds more than is allowed; raise most_bytes if you trust it")
                _unpack_member(layer, member, root)
    return left


def _unpack_member(layer: tarfile.TarFile, member: tarfile.TarInfo, root: int) -> None:
    path = posixpath.normpath(f"/{member.name}")
    place, name = posixpath.split(path)
    if not name:
        return
    files.make_folders(root, place)
    parent = files.open_in(root, place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if name == _OPAQUE:
            for inner in os.listdir(parent):
                _clear(parent, inner)
        elif name.startswith(_WHITEOUT):
            _clear(parent, name[len(_WHITEOUT) :])
        else:
            _put(layer, member, root, parent, name)
    finally:
        os.close(parent)


def _put(layer: tarfile.TarFile, member: tarfile.TarInfo, root: int, parent: int, name: str) -> None:
    """Makes a file, folder or link; of other kinds nothing."""
    if member.isdir():
        if not _is_folder(parent, name):
            _clear(parent, name)
            os.mkdir(name, 0o755, dir_fd=parent)
        mode = member.mode & 0o1777 | 0o700
    elif member.isreg():
        _clear(parent, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        content = layer.extractfile(member)
        with open(os.open(name, flags, 0o600, dir_fd=parent), "wb") as file:
            if content is not None:
                shutil.copyfileobj(content, file, _PIECE)
        mode = member.mode & 0o777
    elif member.issym():
        _clear(parent, name)
        os.symlink(member.linkname, name, dir_fd=parent)
        return
    elif member.islnk():
        place, other = posixpath.split(posixpath.normpath(f"/{member.linkname}"))
        source = files.open_in(root, place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _clear(parent, name)
            os.link(other, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(source)
        return
    else:
        return
    os.chmod(name, mode, dir_fd=parent)
    os.utime(name, (member.mtime, member.mtime), dir_fd=parent, follow_symlinks=False)


def _is_folder(parent: int, name: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode)
    except FileNotFoundError:
        return False


def _clear(parent: int, name: str) -> None:
    if _is_folder(parent, name):
        remove_tree(f"/proc/{os.getpid()}/fd/{parent}/{name}")
        return
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return


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
        with tarfile.open(place, "w", format=tarfile.PAX_FORMAT) as layer:
            for path in _sorted(folder):
                _pack_member(layer, folder, path)
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


def _sorted(folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted([*folders, *names]):
            yield os.path.relpath(f"{place}/{name}", folder)


def _pack_member(layer: tarfile.TarFile, folder: Path, path: str) -> None:
    place = folder / path
    status = place.lstat()
    if is_whiteout(status):
        above, name = posixpath.split(path)
        layer.addfile(tarfile.TarInfo(posixpath.join(above, _WHITEOUT + name)))
        return
    entry = tarfile.TarInfo(path)
    entry.mode, entry.mtime = stat.S_IMODE(status.st_mode) & 0o1777, int(status.st_mtime)
    if stat.S_ISDIR(status.st_mode):
        entry.type = tarfile.DIRTYPE
        layer.addfile(entry)
    elif stat.S_ISLNK(status.st_mode):
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, os.readlink(place), 0o777
        layer.addfile(entry)
    elif stat.S_ISREG(status.st_mode):
        entry.size = status.st_size
        with place.open("rb") as file:
            layer.addfile(entry, file)
