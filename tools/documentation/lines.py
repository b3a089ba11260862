"""Blocks on lines: the keys of their files, one that is shipped, what teaching undoes, what is drawn."""

from cellwright_train.lines import file as line_file_module
from cellwright_train.lines.library import shipped
from cellwright_train.lines.ranges import RANGES, Range
from cellwright_train.lines.teaching import GAINS, OFFSETS
from tools.documentation.errors import DocumentationError
from tools.documentation.markdown import table
from tools.documentation.scenarios import keys


def line_keys(name: str) -> str:
    """Keys of a table of a line's file, with their defaults."""
    if not hasattr(line_file_module, name):
        raise DocumentationError(f"a line's file has no {name}")
    return keys(f"{line_file_module.__name__}:{name}")


def line_file(name: str) -> str:
    """A line that is shipped."""
    if name not in shipped():
        raise DocumentationError(f"no line {name!r} is shipped; there are {', '.join(shipped())}")
    return f"```toml\n{shipped()[name].read_text().rstrip()}\n```"


def teachable() -> str:
    """Fields that people set right when they teach a controller."""
    rows = [
        (family, ", ".join(f"`{field}`" for field in (*fields, *GAINS))) for family, fields in OFFSETS.items()
    ]
    return table(("cells", "fields"), rows)


def drawn_changes() -> str:
    """Changes whose strength is drawn."""
    rows = [
        (family, f"`{name}`", ranged.description, "; ".join(_range(f, r) for f, r in ranged.fields.items()))
        for family, changes in RANGES.items()
        for name, ranged in changes.items()
    ]
    return table(("cells", "change", "what happens", "fields"), rows)


def _range(field: str, drawn: Range) -> str:
    low, high = (", ".join(f"{value:g}" for value in values) for values in (drawn.low, drawn.high))
    return f"`{field}` {drawn.how} {low}" + ("" if low == high else f" to {high}")
