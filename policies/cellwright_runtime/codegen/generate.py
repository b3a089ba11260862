"""All files of the code that is generated for a bundle."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cellwright_runtime.bundle.policy import POLICY, Bundle
from cellwright_runtime.codegen.c_envelope import Envelope, NoEnvelopeError
from cellwright_runtime.codegen.c_header import header
from cellwright_runtime.codegen.c_selftest import selftest
from cellwright_runtime.codegen.c_source import Source
from cellwright_runtime.codegen.figures import Figures, figures
from cellwright_runtime.codegen.golden_sequence import recorded
from cellwright_runtime.codegen.interface import interface_of
from cellwright_runtime.codegen.lowering import program_of
from cellwright_runtime.codegen.structured_text import NoStructuredTextError, structured_text
from cellwright_runtime.graph.bounds import known_values

VECTORS = 32
"""Golden vectors in the self-test."""
_PREFIX = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST_PREFIX = 32


@dataclass(frozen=True, kw_only=True)
class Generated:
    """Code for a bundle; equal bundles give equal files."""

    files: Mapping[str, bytes]
    figures: Figures
    left_out: tuple[str, ...]
    """What there is no code for, and why, a line each."""


def generate(bundle: Bundle, *, prefix: str = "policy", vectors: int = VECTORS) -> Generated:
    """Write code for `bundle`, with names that begin with `prefix` and so many golden vectors.

    Raises ValueError for a prefix that no language takes, and `FileError` where the graph has an operator
    that no code is written for.
    """
    require_prefix(prefix)
    program = program_of(bundle.model, known_values(bundle.model, POLICY), POLICY)
    interface = interface_of(bundle, program, prefix)
    source = Source(interface, program)
    found = figures(
        program.kernels,
        operators=len(bundle.model.operators),
        ram_bytes=source.ram_bytes,
        constants=source.constants,
    )
    texts = {
        f"{prefix}.h": header(interface, found),
        f"{prefix}.c": source.text(),
        f"{prefix}_selftest.c": selftest(interface, bundle.golden, vectors),
    }
    left_out = []
    try:
        envelope = Envelope(interface, bundle.safety)
        texts[f"{prefix}_envelope.h"] = envelope.header()
        texts[f"{prefix}_envelope.c"] = envelope.source()
        texts[f"{prefix}_envelope_selftest.c"] = envelope.selftest(recorded(envelope.safety))
    except NoEnvelopeError as error:
        left_out.append(f"no envelope: {error}")
    try:
        texts[f"{prefix}.st"] = structured_text(interface, program)
    except NoStructuredTextError as error:
        left_out.append(f"no Structured Text: {error}")
    files = {name: text.encode() for name, text in texts.items()}
    return Generated(files=files, figures=found, left_out=tuple(left_out))


def require_prefix(prefix: str) -> None:
    """Raise ValueError unless `prefix` can begin the names of generated code."""
    if len(prefix) > _LONGEST_PREFIX or not _PREFIX.fullmatch(prefix):
        raise ValueError(
            f"{prefix!r:.60} cannot begin names; use lower-case letters, digits and single underscores, "
            f"at most {_LONGEST_PREFIX}, such as 'policy'"
        )
