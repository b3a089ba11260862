"""Names of a manifest as identifiers of C and of Structured Text."""

from __future__ import annotations

import re
from collections.abc import Sequence

_C_KEYWORDS = frozenset(
    (
        *("auto", "break", "case", "char", "const", "continue", "default", "do", "double"),
        *("else", "enum", "extern", "float", "for", "goto", "if", "inline", "int"),
        *("long", "register", "restrict", "return", "short", "signed", "sizeof", "static", "struct"),
        *("switch", "typedef", "union", "unsigned", "void", "volatile", "while", "asm", "bool"),
        *("catch", "class", "delete", "explicit", "export", "false", "friend", "mutable", "namespace"),
        *("new", "operator", "private", "protected", "public", "template", "this", "throw", "true"),
        *("try", "typename", "using", "virtual", "and", "or", "not", "xor"),
    )
)
"""Of C99 and of C++, from which a header may be included."""


def identifiers(names: Sequence[str]) -> list[str]:
    """An identifier for each name, in lower case as no macro is, and all different.

    What may not stand in an identifier becomes an underscore; two underscores in a row, or one at an end,
    which Structured Text forbids, are avoided.
    """
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "unnamed"
        plain = f"n_{plain}" if plain[0].isdigit() else plain
        plain = f"{plain}_value" if plain in _C_KEYWORDS else plain
        choice, count = plain, 1
        while choice in taken:
            count += 1
            choice = f"{plain}_{count}"
        taken.add(choice)
        found.append(choice)
    return found
