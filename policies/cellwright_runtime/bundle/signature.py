"""Ed25519 signatures over a whole bundle, with keys and signatures as OpenSSL reads and writes them.

What is signed is the list of SHA-256 hashes of all files but the signature, sorted by name: the very text
that `sha256sum` prints for them. So a bundle can be checked with OpenSSL alone, see docs/bundle.md. Keys are
PEM files. The package `cryptography` is needed, which the extra `[robot]` brings.
"""

import contextlib
import hashlib
import os
import secrets
from pathlib import Path
from typing import Any

from cellwright_runtime.bundle.container import MANIFEST, SIGNATURE, BundleError, Container
from cellwright_runtime.files.reading import FileError, read_file

_MOST_KEY_BYTES = 4096


def signed_text(container: Container) -> bytes:
    """What a signature covers: a line of hash, two spaces and name for the manifest and every other file."""
    files = {MANIFEST: container.manifest, **container.files}
    return b"".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n".encode() for name in sorted(files))


def write_keys(private: Path, public: Path) -> None:
    """Make a pair of keys and write them as PEM; the private one is readable by its owner alone.

    Raises FileExistsError where one of the files is there: a key is never written over.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    if public.exists():
        raise FileExistsError(17, "File exists; a key is never written over", str(public))
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    told = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for path, data, mode in ((private, secret, 0o600), (public, told, 0o644)):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(descriptor, "wb") as file:
            file.write(data)


def sign(container: Container, key: Path) -> None:
    """Put the signature of the private `key` into the bundle, in place of one that is there.

    Raises `FileError` where `key` is no private Ed25519 key in PEM.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = read_file(key, most_bytes=_MOST_KEY_BYTES)
    try:
        loaded = load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:  # TypeError: it is encrypted
        raise FileError(f"{key} is no private key in PEM: {_reason(error)}") from None
    if not isinstance(loaded, Ed25519PrivateKey):
        raise FileError(f"{key} is no Ed25519 key; `cellwright keygen` makes one")
    place = container.directory / SIGNATURE
    scratch = place.parent.parent / f".{place.parent.name}-{secrets.token_hex(4)}"
    try:
        scratch.write_bytes(loaded.sign(signed_text(container)))
        os.replace(scratch, place)
    finally:
        with contextlib.suppress(FileNotFoundError):
            scratch.unlink()


def require_public_key(key: Path) -> Any:
    """The public `key`; raises `FileError` where it is no public Ed25519 key in PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    data = read_file(key, most_bytes=_MOST_KEY_BYTES)
    try:
        loaded = load_pem_public_key(data)
    except ValueError as error:
        raise FileError(f"{key} is no public key in PEM: {_reason(error)}") from None
    if not isinstance(loaded, Ed25519PublicKey):
        raise FileError(f"{key} is no Ed25519 key; `cellwright keygen` makes one")
    return loaded


def require_signature(container: Container, key: Path) -> None:
    """Raise `BundleError` unless the public `key` made the signature in the bundle, over just these files.

    Raises `FileError` where `key` is no public Ed25519 key in PEM.
    """
    from cryptography.exceptions import InvalidSignature

    loaded = require_public_key(key)
    if container.signature is None:
        raise BundleError(f"{container.directory} is not signed; `cellwright sign` signs a bundle")
    try:
        loaded.verify(container.signature, signed_text(container))
    except InvalidSignature:
        raise BundleError(
            f"{container.directory / SIGNATURE} was not made with the key {key} over these files"
        ) from None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
