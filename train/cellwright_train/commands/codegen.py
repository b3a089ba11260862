"""`cellwright codegen`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cellwright_train.commands.options import BundleName, bundle_directory
from cellwright_train.errors import UsageError
from cellwright_train.outputs import require_replaceable, write_directory
from cellwright_train.terminal import console


@dataclass(frozen=True, kw_only=True)
class Codegen:
    """Write a bundle's policy and its envelope as C99, and what follows the views as Structured Text."""

    bundle: BundleName
    out: Path
    """The directory to write."""
    prefix: str = "policy"
    """What the names of files and functions begin with, so that one program can hold several policies."""
    vectors: int = 32
    """Recorded vectors in the self-test, evenly spread; more than there are means all."""
    force: bool = False
    """Replace code that is already there."""

    extra: ClassVar[str] = "sim"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_runtime.bundle.policy import Bundle
        from cellwright_runtime.codegen.compiled import CompilerError, stack_bytes
        from cellwright_runtime.codegen.generate import generate, require_prefix
        from cellwright_train.report.tables import figures_of_code

        try:
            require_prefix(self.prefix)
        except ValueError as error:
            raise UsageError(f"--prefix {error}") from None
        require_replaceable(self.out, force=self.force)
        bundle = Bundle.load(bundle_directory(self.bundle, "codegen"))
        generated = generate(bundle, prefix=self.prefix, vectors=self.vectors)
        write_directory(self.out, generated.files, force=self.force)
        rows = generated.figures.rows()
        try:
            rows.append(("stack, compiled here with -O2", f"{stack_bytes(self.out, self.prefix):,} bytes"))
        except CompilerError as error:
            rows.append(("stack", str(error)))
        console().print(figures_of_code(self.bundle, rows))
        print(f"{self.out}: {', '.join(generated.files)}")
        for line in generated.left_out:
            print(line)
        return 0
