"""Pages and the blocks in them."""

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.documentation import (
    closed_loop,
    comparison,
    curves,
    data,
    disturbances,
    envelope,
    environments,
    gate,
    identified,
    insertion_aims,
    lines,
    results,
    scenarios,
    scores,
    settings,
    shift_aims,
    weld_aims,
    welds,
)
from tools.documentation.errors import DocumentationError

Block = Callable[..., str]
"""Takes the words after the block's name in its marker, returns Markdown."""

_OPENING = "<!-- generated: "
_BLOCK = re.compile(r"(<!-- generated: (\S+)([^\n]*) -->)\n(.*?)<!-- end -->", re.DOTALL)


def blocks(recorded: Path) -> dict[str, Block]:
    """Blocks by name; results come from the files in `recorded`."""
    return {
        **{name: getattr(environments, name) for name in environments.SECTIONS},
        "settings": environments.settings,
        "controller": environments.controller,
        "scorecard": environments.scorecard,
        "parts": environments.parts,
        "part-ranges": environments.part_ranges,
        "fields": settings.fields,
        "presets": settings.presets,
        "search-ranges": settings.search_ranges,
        "disturbances": disturbances.disturbances,
        "line-changes": disturbances.line_changes,
        "keys": scenarios.keys,
        "scenarios": scenarios.scenarios,
        "measures": scenarios.measures,
        "line-keys": lines.line_keys,
        "line-file": lines.line_file,
        "teachable": lines.teachable,
        "drawn-changes": lines.drawn_changes,
        "products": welds.products,
        "product-ranges": welds.product_ranges,
        "constants": welds.constants,
        "limits": welds.limits,
        "editions": welds.editions,
        "other-limits": welds.other_limits,
        "assumed-constants": welds.assumed_constants,
        "assumed-disturbances": disturbances.assumed_disturbances,
        "assumed-elsewhere": welds.assumed_elsewhere,
        "results": functools.partial(results.results, recorded),
        "insertion-results": functools.partial(results.insertion_results, recorded),
        "insertion-aims": functools.partial(insertion_aims.insertion_aims, recorded),
        "insertion-comparison": functools.partial(results.insertion_comparison, recorded),
        "weld-aims": functools.partial(weld_aims.weld_aims, recorded),
        "defect-codes": functools.partial(results.defect_codes, recorded),
        "keyboard": data.keys,
        "states": envelope.states,
        "transitions": envelope.transitions,
        "kinds-of-faults": envelope.kinds_of_faults,
        "fault-times": functools.partial(envelope.fault_times, recorded),
        "setpoint-counts": functools.partial(envelope.setpoint_counts, recorded),
        "closed-loop": functools.partial(closed_loop.closed_loop, recorded),
        "leaderboard": functools.partial(scores.leaderboard, recorded),
        "zero-shot": functools.partial(scores.zero_shot, recorded),
        "shifts": functools.partial(scores.shifts, recorded),
        "shift-aims": functools.partial(shift_aims.shift_aims, recorded),
        "adaptations": functools.partial(scores.adaptations, recorded),
        "curves": functools.partial(curves.curves, recorded),
        "identified": functools.partial(identified.identified, recorded),
        "told-apart": functools.partial(identified.told_apart, recorded),
        "false-alarms": functools.partial(gate.false_alarms, recorded),
        "seeded-faults": functools.partial(gate.seeded_faults, recorded),
        "bench": functools.partial(results.bench, recorded),
    }


def filled(text: str, known: Mapping[str, Block], page: str = "page") -> str:
    """`text` with every generated block made anew; raises `DocumentationError` for a marker that is wrong."""

    def fill(found: re.Match[str]) -> str:
        marker, name, arguments, body = found.groups()
        if _OPENING in body:
            raise DocumentationError(f"{page}: block {name} has no end")
        if name not in known:
            raise DocumentationError(f"{page}: unknown block {name!r}; known: {', '.join(known)}")
        return f"{marker}\n\n{_written(known[name], name, arguments.split(), page)}\n\n<!-- end -->"

    if text.count(_OPENING) != len(_BLOCK.findall(text)):
        raise DocumentationError(f"{page}: a generated block has no end")
    return _BLOCK.sub(fill, text)


def _written(write: Block, name: str, arguments: list[str], page: str) -> str:
    signature = inspect.signature(write)
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise DocumentationError(f"{page}: block {name} takes {signature}: {error}") from error
    return write(*arguments)


def stale_pages(root: Path) -> dict[Path, str]:
    """Pages below `root`, and the figure, that are not current, with the text that they should have."""
    docs = root / "docs"
    known = blocks(docs / "results")
    texts = {path: path.read_text() for path in (*docs.rglob("*.md"), root / "README.md") if path.exists()}
    for env_id in environments.environment_ids():
        if (page := docs / environments.page_of(env_id)) not in texts:
            texts[page] = environments.template(env_id)
    wanted = {path: filled(text, known, str(path.relative_to(root))) for path, text in sorted(texts.items())}
    if (figure := docs / "images" / comparison.FILE).exists():
        texts[figure], wanted[figure] = figure.read_text(), comparison.comparison(docs / "results")
    return {path: text for path, text in wanted.items() if text != texts[path]}
