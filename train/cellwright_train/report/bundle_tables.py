"""Tables of bundles for the terminal: what one is, and what differs between two."""

from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table
from rich.text import Text

from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.bundle.safety import Bound, Safety
from cellwright_train.bundles.comparing import Difference

_MOST_NUMBERS = 6


def description_tables(bundle: Bundle) -> Iterator[Table]:
    """What `cellwright inspect` shows, from the policy to its files."""
    spec = bundle.spec
    signed = "signed, by whom `verify --key` checks" if bundle.container.signature else "not signed"
    cost = f"{bundle.cost.multiplications / 1e6:.1f} million multiplications a decision"
    yield _plain(
        f"bundle {spec.name}",
        [
            ("environment", spec.environment),
            ("rate", f"{spec.control_rate_hz:g} Hz"),
            ("graph", f"opset {bundle.model.opset}, {len(bundle.model.operators)} operators, {cost}"),
            ("trained by", str(spec.training.get("command", "–"))),
            ("signature", signed),
            ("sha256", bundle.digest),
        ],
    )
    yield _table("observes", ("group", "type", "shape", "first elements"), _groups(bundle))
    yield _table(
        "commands",
        ("command", "lowest", "highest", "unit"),
        [(part.name, f"{part.low:.6g}", f"{part.high:.6g}", part.unit) for part in spec.action],
    )
    if spec.cameras:
        yield _table(
            "cameras",
            ("view", "pixels", "focal length [px]", "mounted in"),
            [
                (
                    each.view,
                    f"{each.width_px} × {each.height_px}",
                    ", ".join(f"{value:g}" for value in each.focal_px),
                    each.frame + (" (a window that moves)" if each.window else ""),
                )
                for each in spec.cameras
            ],
        )
    if bundle.safety is None:
        yield _plain("envelope", [("none", "`cellwright export` writes one")])
    else:
        yield _table("envelope", ("bound", "value", "source"), _envelope(bundle.safety))
    yield _plain("scores", [(name, str(value)) for name, value in sorted(spec.scores.items())])
    yield _table(
        "files", ("file", "bytes"), [(name, f"{len(data):,}") for name, data in sorted(bundle.files.items())]
    )


def difference_table(first: str, second: str, found: Sequence[Difference]) -> Table:
    """One row for each thing that differs."""
    return _table(
        "differences", ("where", first, second), [(each.where, each.first, each.second) for each in found]
    )


def _groups(bundle: Bundle) -> Iterator[tuple[str, ...]]:
    for group in bundle.spec.observation:
        parts = [f"{part.name} [{part.unit}]" for part in group.components[:3]]
        more = [f"{len(group.components) - 3} more"] if len(group.components) > 3 else []
        yield group.name, group.dtype, " × ".join(map(str, group.shape)), ", ".join([*parts, *more])


def _envelope(safety: Safety) -> Iterator[tuple[str, ...]]:
    for part in ("joints", "tool", "timing", "interventions"):
        owner = getattr(safety, part)
        for name in type(owner).__dataclass_fields__:
            if isinstance(bound := getattr(owner, name), Bound):
                yield f"{part} {name}", _shown(bound), bound.source
    for box in safety.workspace:
        yield (
            f"workspace {box.name} ({box.frame})",
            f"{_shown(box.low_m)} to {_shown(box.high_m)} m",
            box.low_m.source,
        )
    for slew in safety.slew:
        yield f"slew {slew.name}", f"{_shown(slew.rate)} {slew.unit}", slew.rate.source
    for seen in safety.observed:
        yield f"observed {seen.group}", f"ranges of {len(seen.low.value)} elements", seen.low.source
    for view in safety.views:
        yield (
            f"view {view.view}",
            f"grey {_shown(view.mean_low)} to {_shown(view.mean_high)}",
            view.mean_low.source,
        )
    for name, reason in sorted(safety.left_out.items()):
        yield name, "not stated", reason


def _shown(bound: Bound) -> str:
    shown = [f"{value:.4g}" for value in bound.value[:_MOST_NUMBERS]]
    return ", ".join(shown if len(bound.value) <= _MOST_NUMBERS else [*shown, "…"])


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(Text(head), overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # as it is: a bundle's author must not write markup
    return table


def _plain(title: str, rows: Iterable[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    for _ in range(2):
        table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
