"""Files that a command writes: checked and given room before the work, written complete or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from cellwright_train.errors import UsageError


class Output:
    """One file to be written at the end of a command's work.

    A regular file keeps its old content until the new one is complete. Where the system can, what is written
    has no name until then, so that not even a killed process leaves half a file. A pipe or a device is
    written as it is.
    """

    def __init__(self, path: Path, *, room_bytes: int = 1 << 16) -> None:
        """Open `path` and set `room_bytes` of its disk aside; raises `UsageError` where that cannot be."""
        self.path = path
        self._scratch: Path | None = None
        try:
            self._place = path.resolve()
            if self._place.is_dir():
                raise UsageError(f"{path} is a directory; name a file")
            if not self._place.parent.is_dir():
                raise UsageError(f"{path.parent} is no directory, so {path.name} cannot be written there")
            self._file = self._open(room_bytes)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from error

    def write(self, data: bytes) -> None:
        """Write `data` and close; raises `UsageError` where the disk refuses it, and leaves no part of it."""
        try:
            with self:
                self._file.write(data)
                self._file.flush()
                if not self._in_place:
                    self._file.truncate()
                    self._publish()
        except BrokenPipeError:
            pass  # whoever reads a pipe may have read enough
        except OSError as error:
            raise UsageError(f"{self.path} cannot be written: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # what could not be written was told where it was written
            self._file.close()
        if self._scratch is not None:
            self._scratch.unlink(missing_ok=True)

    def _open(self, room_bytes: int) -> BinaryIO:
        self._in_place = self._place.exists() and not stat.S_ISREG(self._place.stat().st_mode)
        if self._in_place:
            return self._place.open("wb", buffering=0)
        if self._place.exists():
            os.close(os.open(self._place, os.O_WRONLY))  # may it be changed?
        file = os.fdopen(self._nameless(), "wb")
        try:
            os.posix_fallocate(file.fileno(), 0, room_bytes)
        except OSError:
            self._file = file
            self.__exit__(None, None, None)
            raise
        return file

    def _nameless(self) -> int:
        """A file beside the place of this one, without a name where the file system knows such files."""
        with contextlib.suppress(OSError, AttributeError):
            return os.open(self._place.parent, os.O_TMPFILE | os.O_WRONLY, 0o666)
        self._scratch = self._beside()
        return os.open(self._scratch, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)

    def _publish(self) -> None:
        os.fsync(self._file.fileno())
        if self._place.exists():
            os.fchmod(self._file.fileno(), stat.S_IMODE(self._place.stat().st_mode))
        if self._scratch is None:
            self._scratch = self._beside()
            # With a directory's descriptor Python asks the system to follow the link to the nameless file.
            number = self._file.fileno()
            os.link(f"/proc/self/fd/{number}", self._scratch, src_dir_fd=number, follow_symlinks=True)
        os.replace(self._scratch, self._place)

    def _beside(self) -> Path:
        return self._place.parent / f".cellwright-{secrets.token_hex(8)}"


@contextlib.contextmanager
def reserved(
    *paths: Path | None, inputs: Iterable[Path | None] = (), room_bytes: int = 1 << 16
) -> Iterator[tuple[Output | None, ...]]:
    """The outputs of a command, in order, None for those that were not asked for.

    Raises `UsageError` where two are one file, or one is also one of the `inputs`, which would be lost.
    """
    named = [path for path in paths if path is not None]
    read = {path.resolve() for path in inputs if path is not None}
    with contextlib.ExitStack() as stack:
        for index, path in enumerate(named):
            if path.resolve() in read:
                raise UsageError(f"{path} is read by this command and would be lost; write to another file")
            if any(path.resolve() == other.resolve() for other in named[:index]):
                raise UsageError(f"two results would be written to {path}; name two files")
        yield tuple(
            None if path is None else stack.enter_context(Output(path, room_bytes=room_bytes))
            for path in paths
        )


def require_no_file(path: Path) -> None:
    """Raise `UsageError` where `path` is a regular file, whose content would be lost."""
    if path.is_file():
        raise UsageError(f"{path} exists and would be lost; choose another file or take it away")


def require_directory(directory: Path) -> None:
    """Make `directory` where it is missing; raises `UsageError` where no file can be written there."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except FileExistsError:
        raise UsageError(f"{directory} is a file; name a directory") from None
    except OSError as error:
        raise UsageError(f"{directory} cannot be written: {error.strerror}") from error


def require_new_directory(directory: Path) -> None:
    """Raise `UsageError` where a directory of this name cannot be made."""
    probe = directory.parent / f".cellwright-{secrets.token_hex(8)}"
    try:
        directory.exists()  # too long a name is refused here
        missing = [parent for parent in directory.parents if not parent.exists()]
        for parent in reversed(missing):
            parent.mkdir()
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise UsageError(f"{directory} cannot be written: {error.strerror}") from error


def require_replaceable(directory: Path, *, force: bool) -> None:
    """Raise `UsageError` where `write_directory` could not write, whatever the files."""
    if directory.exists():
        if not force:
            raise UsageError(f"{directory} exists; choose another directory or pass --force to replace it")
        if not directory.is_dir():
            raise UsageError(f"{directory} is a file; name a directory")
    require_new_directory(directory)


def write_directory(directory: Path, files: Mapping[str, bytes], *, force: bool) -> None:
    """Write `files`, by name, to a directory that is there complete or not at all.

    Raises `UsageError` where it exists, unless `force` is set and it holds no other files.
    """
    require_replaceable(directory, force=force)
    if directory.exists() and (foreign := sorted(set(os.listdir(directory)) - set(files))):
        raise UsageError(f"{directory} holds {foreign[0]}, which would be lost; choose another directory")
    scratch = Path(tempfile.mkdtemp(prefix=".cellwright-", dir=directory.parent))
    try:
        fresh, aside = scratch / "new", scratch / "old"
        fresh.mkdir()
        for name, data in files.items():
            (fresh / name).write_bytes(data)
        if directory.exists():
            os.replace(directory, aside)
        try:
            os.replace(fresh, directory)
        except OSError:
            if aside.exists():
                os.replace(aside, directory)
            raise
    except OSError as error:
        raise UsageError(f"{directory} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(scratch)
