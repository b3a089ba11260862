"""`python -m tools.documentation [--check]`."""

import sys
from collections.abc import Sequence
from pathlib import Path

import tyro

from tools.documentation.errors import DocumentationError
from tools.documentation.pages import stale_pages

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "python -m tools.documentation"


def run(*, check: bool = False) -> int:
    """Fill the generated blocks of docs/ and README.md.

    Args:
        check: change nothing; exit with 1 where a page is not current.
    """
    if not (ROOT / "docs").is_dir():
        print(
            f"{ROOT / 'docs'} is missing: pages are filled in a checkout of the repository", file=sys.stderr
        )
        return 2
    try:
        stale = stale_pages(ROOT)
    except DocumentationError as error:
        print(f"documentation: {error}", file=sys.stderr)
        return 2
    for path, text in stale.items():
        name = path.relative_to(ROOT)
        if check:
            print(f"{name} is stale; run: {PROGRAM}", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"{name} written")
    return 1 if check and stale else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return tyro.cli(run, args=arguments, prog=PROGRAM)


if __name__ == "__main__":
    sys.exit(main())
