"""Signatures: over every file, with keys that OpenSSL reads, checked by OpenSSL too."""

import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cellwright_runtime.bundle.container import MANIFEST, SIGNATURE, BundleError
from cellwright_runtime.bundle.policy import CARD, Bundle, write_bundle
from cellwright_runtime.bundle.signature import require_signature, sign, signed_text, write_keys
from cellwright_runtime.files.reading import FileError

OPENSSL = "openssl"


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    pair = tmp_path / "a.key", tmp_path / "a.pub"
    write_keys(*pair)
    return pair


@pytest.fixture
def signed(bundle_dir: Path, tmp_path: Path, keys: tuple[Path, Path]) -> Path:
    directory = Path(shutil.copytree(bundle_dir, tmp_path / "signed"))
    sign(Bundle.load(directory).container, keys[0])
    return directory


def checked(directory: Path, key: Path) -> None:
    require_signature(Bundle.load(directory).container, key)


def test_a_signed_bundle_loads_and_its_key_is_known(signed: Path, keys: tuple[Path, Path]) -> None:
    checked(signed, keys[1])


def test_signing_again_replaces_the_signature(signed: Path, tmp_path: Path, keys: tuple[Path, Path]) -> None:
    write_keys(tmp_path / "b.key", tmp_path / "b.pub")
    sign(Bundle.load(signed).container, tmp_path / "b.key")
    checked(signed, tmp_path / "b.pub")
    with pytest.raises(BundleError, match=r"bundle.sig was not made with the key .*a.pub over these files"):
        checked(signed, keys[1])


def test_a_bundle_that_was_changed_and_hashed_anew_is_refused(signed: Path, keys: tuple[Path, Path]) -> None:
    """What hashes cannot show: whoever changes a file can compute them again."""
    signature = (signed / SIGNATURE).read_bytes()
    bundle = Bundle.load(signed)
    files = {**bundle.files, CARD: bundle.files[CARD] + b"the best policy of all\n"}
    write_bundle(signed, bundle.spec, files, overwrite=True)
    with pytest.raises(BundleError, match="is not signed"):  # a new bundle has no signature
        checked(signed, keys[1])
    (signed / SIGNATURE).write_bytes(signature)
    with pytest.raises(BundleError, match="was not made with the key"):
        checked(signed, keys[1])


def test_every_file_and_the_manifests_own_text_are_covered(signed: Path, keys: tuple[Path, Path]) -> None:
    bundle = Bundle.load(signed)
    lines = signed_text(bundle.container).decode().splitlines()
    assert [line.split("  ")[1] for line in lines] == sorted([MANIFEST, *bundle.files])
    (signed / MANIFEST).write_bytes((signed / MANIFEST).read_bytes() + b"\n")  # the same content to JSON
    with pytest.raises(BundleError, match="was not made with the key"):
        checked(signed, keys[1])


def test_an_unsigned_bundle_says_so(bundle_dir: Path, keys: tuple[Path, Path]) -> None:
    with pytest.raises(BundleError, match="is not signed; `cellwright sign` signs a bundle"):
        checked(bundle_dir, keys[1])


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 65])
def test_a_signature_of_another_size_is_no_bundle(signed: Path, content: bytes) -> None:
    (signed / SIGNATURE).write_bytes(content)
    with pytest.raises(BundleError, match=r"bundle.sig has \d+ bytes, (a signature has|more than the) 64"):
        Bundle.load(signed)


def test_a_signature_that_is_a_link_is_refused(signed: Path, tmp_path: Path) -> None:
    (signed / SIGNATURE).rename(tmp_path / "elsewhere")
    (signed / SIGNATURE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="is a link"):
        Bundle.load(signed)


def test_a_private_key_is_its_owners_alone_and_no_key_is_written_over(
    tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    assert stat.S_IMODE(keys[0].stat().st_mode) == 0o600
    before = keys[0].read_bytes()
    for pair in (keys, (tmp_path / "new.key", keys[1]), (keys[0], tmp_path / "new.pub")):
        with pytest.raises(FileExistsError):
            write_keys(*pair)
    assert keys[0].read_bytes() == before
    assert not (tmp_path / "new.key").exists()


def test_another_kind_of_key_is_named(signed: Path, tmp_path: Path, keys: tuple[Path, Path]) -> None:
    rsa = generate_private_key(65537, 2048)
    private, public = tmp_path / "rsa.key", tmp_path / "rsa.pub"
    private.write_bytes(rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    container = Bundle.load(signed).container
    with pytest.raises(FileError, match=r"rsa.key is no Ed25519 key"):
        sign(container, private)
    with pytest.raises(FileError, match=r"rsa.pub is no Ed25519 key"):
        require_signature(container, public)
    with pytest.raises(FileError, match=r"a.pub is no private key in PEM"):
        sign(container, keys[1])
    with pytest.raises(FileError, match=r"a.key is no public key in PEM"):
        require_signature(container, keys[0])


def run(*command: str, cwd: Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, cwd=cwd, input=given, capture_output=True, check=False)


def test_openssl_checks_what_was_signed_here_and_this_checks_what_openssl_signed(
    signed: Path, tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    names = sorted(path.name for path in signed.iterdir() if path.name != SIGNATURE)
    text = tmp_path / "hashes"
    text.write_bytes(run("sha256sum", *names, cwd=signed).stdout)
    assert text.read_bytes() == signed_text(Bundle.load(signed).container)
    check = (OPENSSL, "pkeyutl", "-verify", "-pubin", "-inkey", str(keys[1]), "-rawin", "-in", str(text))
    done = run(*check, "-sigfile", SIGNATURE, cwd=signed)
    assert done.returncode == 0, done.stderr

    run(OPENSSL, "genpkey", "-algorithm", "ed25519", "-out", "o.key", cwd=tmp_path)
    run(OPENSSL, "pkey", "-in", "o.key", "-pubout", "-out", "o.pub", cwd=tmp_path)
    with pytest.raises(BundleError, match="was not made with the key"):
        checked(signed, tmp_path / "o.pub")
    made = (
        "pkeyutl",
        "-sign",
        "-inkey",
        "o.key",
        "-rawin",
        "-in",
        str(text),
        "-out",
        str(signed / SIGNATURE),
    )
    assert run(OPENSSL, *made, cwd=tmp_path).returncode == 0
    checked(signed, tmp_path / "o.pub")
