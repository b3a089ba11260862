"""`python -m tools.structured_text FILE...`: are these files legal Structured Text?

The grammar is `tree-sitter-iec61131-3-st`, which nobody here wrote. It has no wheels, so it is no dependency:
`pip install tree-sitter tree-sitter-iec61131-3-st` compiles it.
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any


def main(names: list[str]) -> int:
    """Print the first places that the grammar refuses; returns 1 where there is one."""
    grammar, tree_sitter = import_module("tree_sitter_iec61131_3_st"), import_module("tree_sitter")
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    failed = False
    for name in names:
        text = Path(name).read_bytes()
        root = parser.parse(text).root_node
        places = list(_refused(root))
        failed = failed or root.has_error
        print(f"{name}: {len(text):,} bytes, {'refused' if root.has_error else 'legal'}")
        for node in places[:5]:
            row, column = node.start_point
            print(f"  line {row + 1}, column {column + 1}: {text[node.start_byte : node.end_byte][:60]!r}")
    return int(failed or not names)


def _refused(node: Any) -> Iterator[Any]:
    if node.type == "ERROR" or node.is_missing:
        yield node
    for child in node.children:
        if child.has_error or child.is_missing:
            yield from _refused(child)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
