"""The container of a bundle: a directory of a few named files, limited in size and checked by hash.

```
<bundle>/manifest.json   kind of bundle, fields of that kind, size and hash of every other file
         ...             the files of that kind, and no others
         bundle.sig      optional: a signature over the hashes of all of these
```

A kind, such as a policy, defines which files it has and how large each may be. The container does not
interpret them. The hashes detect damage and careless edits. They are no signature: whoever forges a bundle
can compute them, too. `cellwright_runtime.bundle.signature` makes and checks one.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from cellwright_runtime.files.fields import Fields
from cellwright_runtime.files.json_text import canonical_json, parse_json
from cellwright_runtime.files.reading import FileError, read_file

MANIFEST = "manifest.json"
SIGNATURE = "bundle.sig"
SIGNATURE_BYTES = 64
SCHEMA_VERSION = 2
_MOST_MANIFEST_BYTES = 2**20
_OWN_FIELDS = ("schema_version", "kind", "files", "manifest_sha256")
_FIRST_KIND = "policy"
"""Kind of a bundle whose manifest names none: such bundles were written before there were other kinds."""


class BundleError(FileError):
    """A directory is not a complete and undamaged bundle; the message is one line that names the fault."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of bundle: its name and the files that it consists of."""

    name: str
    required: Mapping[str, int]
    """Name of a file to its largest allowed size [bytes]."""
    optional: Mapping[str, int] = field(default_factory=dict)
    """As `required`, for files that a bundle may lack."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """The files of a bundle, as its manifest describes them."""

    directory: Path
    content: Mapping[str, Any]
    """Fields of the manifest that belong to the kind; the container does not check them."""
    files: Mapping[str, bytes]
    digest: str
    """SHA-256 of the manifest, which has those of all files: one number for the whole bundle, in hex."""
    manifest: bytes
    """The manifest's file as it was read."""
    signature: bytes | None = None
    """The signature that lies in the bundle, which nobody has checked."""

    @classmethod
    def load(cls, directory: Path, kind: Kind) -> Self:
        """Read a bundle of this kind; raises `BundleError` if it is damaged, changed or of another kind."""
        with bundle_errors():
            text = _manifest_text(directory)
            manifest, listed = _manifest(directory, kind, text)
            _refuse_foreign(directory, {MANIFEST, SIGNATURE, *listed})
            limits = {**kind.required, **kind.optional}
            files = {name: _file(directory / name, entry, limits[name]) for name, entry in listed.items()}
            content = {name: value for name, value in manifest.items() if name not in _OWN_FIELDS}
            signature = _signature(directory / SIGNATURE)
        return cls(
            directory=directory,
            content=content,
            files=files,
            digest=manifest_digest(manifest),
            manifest=text,
            signature=signature,
        )


@contextmanager
def bundle_errors() -> Iterator[None]:
    """Raise each `FileError` of the block as a `BundleError` with the same message."""
    try:
        yield
    except BundleError:
        raise
    except FileError as error:
        raise BundleError(str(error)) from None


def is_bundle(directory: str | Path) -> bool:
    """Whether `directory` has a manifest, and so claims to be a bundle; only loading it checks the claim."""
    try:
        return (Path(directory) / MANIFEST).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def write_container(
    directory: Path,
    kind: Kind,
    content: Mapping[str, Any],
    files: Mapping[str, bytes],
    *,
    overwrite: bool = False,
) -> None:
    """Write all files to a temporary directory, check them there, and rename it to `directory`.

    So `directory` never holds a part of a bundle. A bundle to be replaced is first renamed to the temporary
    directory: between the two renames `directory` does not exist.

    Raises `BundleError` where `directory` exists and either `overwrite` is false or it is not a bundle, and
    where a file is missing, too large or not one of `kind`.
    """
    refuse_existing(directory, overwrite=overwrite)
    if missing := [name for name in kind.required if name not in files]:
        raise BundleError(f"a bundle needs {', '.join(missing)}")
    directory.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".cellwright-", dir=directory.parent))
    try:
        fresh = scratch / "new"
        fresh.mkdir()
        for name, data in files.items():
            (fresh / name).write_bytes(data)
        (fresh / MANIFEST).write_bytes(_manifest_bytes(kind, content, files))
        Container.load(fresh, kind)
        _put(fresh, directory, aside=scratch / "old")
    finally:
        shutil.rmtree(scratch)


def _put(fresh: Path, directory: Path, *, aside: Path) -> None:
    """Rename `fresh` to `directory`; what is there is renamed to `aside`, and back where this fails."""
    if directory.exists():
        os.replace(directory, aside)
    try:
        os.replace(fresh, directory)
    except BaseException:
        if aside.exists():
            os.replace(aside, directory)
        raise


def refuse_existing(directory: Path, *, overwrite: bool) -> None:
    """Raise `BundleError` where `directory` exists, unless `overwrite` is set and it is a bundle or empty."""
    if not directory.exists():
        return
    if not overwrite:
        raise BundleError(f"{directory} exists; choose another directory or pass --force to replace it")
    if not (is_bundle(directory) or (directory.is_dir() and not any(directory.iterdir()))):
        raise BundleError(f"{directory} exists and is not a bundle, so it is not replaced")


def _manifest_bytes(kind: Kind, content: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    manifest = {"schema_version": SCHEMA_VERSION, "kind": kind.name, **content}
    manifest["files"] = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in files.items()
    }
    return canonical_json(manifest | {"manifest_sha256": manifest_digest(manifest)})


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest's content, in hex digits. The layout of its text does not matter."""
    rest = {key: value for key, value in manifest.items() if key != "manifest_sha256"}
    return hashlib.sha256(canonical_json(rest)).hexdigest()


def _manifest_text(directory: Path) -> bytes:
    if not directory.is_dir():
        raise BundleError(f"{directory} is not a directory; a bundle is a directory with a {MANIFEST}")
    path = directory / MANIFEST
    if not path.exists() and not path.is_symlink():
        raise BundleError(f"{directory} holds no {MANIFEST}, so it is not a bundle")
    return read_file(path, most_bytes=_MOST_MANIFEST_BYTES)


def _signature(path: Path) -> bytes | None:
    if not path.exists() and not path.is_symlink():
        return None
    data = read_file(path, most_bytes=SIGNATURE_BYTES)
    if len(data) != SIGNATURE_BYTES:
        raise BundleError(f"{path} has {len(data)} bytes, a signature has {SIGNATURE_BYTES}")
    return data


def _manifest(directory: Path, kind: Kind, text: bytes) -> tuple[dict[str, Any], dict[str, Fields]]:
    """The manifest of a bundle, and its entries for the other files, by name."""
    path = directory / MANIFEST
    manifest = parse_json(text, str(path))
    fields = Fields(manifest, str(path))
    version = fields.optional("schema_version", None)
    if type(version) is not int or version != SCHEMA_VERSION:
        raise BundleError(f"{path} has schema_version {version!r:.40}, this version reads {SCHEMA_VERSION}")
    if (found := fields.optional("kind", _FIRST_KIND)) != kind.name:
        raise BundleError(f"{path} describes a bundle of kind {found!r:.40}, need {kind.name!r}")
    files = fields.object("files")
    if missing := [name for name in kind.required if name not in files]:
        raise BundleError(f"{path} lists no hash for {', '.join(missing)}")
    if foreign := sorted(set(files) - {*kind.required, *kind.optional}):
        raise BundleError(f"{path} lists {', '.join(foreign)[:200]}, which is no part of a bundle")
    if fields.optional("manifest_sha256", None) != manifest_digest(manifest):
        raise BundleError(f"{path} was changed after export: its manifest_sha256 does not match its content")
    return manifest, {name: Fields(entry, f"{path} files {name}") for name, entry in files.items()}


def _refuse_foreign(directory: Path, expected: set[str]) -> None:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name not in expected:
                raise BundleError(
                    f"{directory} holds {entry.name[:80]!r}, which its {MANIFEST} does not list"
                )


def _file(path: Path, listed: Fields, most_bytes: int) -> bytes:
    size, wanted = listed.whole("bytes"), listed.name("sha256")
    listed.done()
    data = read_file(path, most_bytes=most_bytes)
    if len(data) != size:
        raise BundleError(f"{path} has {len(data)} bytes, the manifest says {size}: changed or damaged")
    digest = hashlib.sha256(data).hexdigest()
    if digest != wanted:
        raise BundleError(
            f"{path} has sha256 {digest[:12]}…, the manifest says {wanted[:12]}…: changed or damaged"
        )
    return data
