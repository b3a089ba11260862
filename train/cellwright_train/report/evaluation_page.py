"""The page of `cellwright evaluate --report`: one policy's parts, one by one, and one of them filmed."""

from collections.abc import Mapping, Sequence
from typing import Any

from cellwright_train.report import insertions, welds
from cellwright_train.report.page import figure_cell, page
from cellwright_train.results.result import Evaluation
from cellwright_train.results.welds import WeldEvaluation
from cellwright_train.rollout.recording import PartRecord


def evaluation_page(
    evaluation: Evaluation[Any],
    parts: Sequence[PartRecord[Any]],
    film: PartRecord[Any],
    setting: str,
    provenance: Mapping[str, str],
) -> str:
    """The page of `evaluation`, with the `film` of one of its `parts`."""
    make = _weld_page if isinstance(evaluation, WeldEvaluation) else _insertion_page
    return make(evaluation, parts, film, setting, provenance)


def _weld_page(
    evaluation: Evaluation[Any],
    parts: Sequence[welds.Weld],
    film: welds.Weld,
    setting: str,
    provenance: Mapping[str, str],
) -> str:
    """Bead quality along every seam, and the signals of the filmed weld."""
    return page(
        "welds.html.j2",
        evaluation=evaluation,
        figures=[figure_cell(figure) for figure in evaluation.figures],
        parts=[
            {
                "number": number,
                "product": part.result.product,
                "changed": False,
                "welds": [welds.seam(part)],
            }
            for number, part in _counted(parts)
        ],
        grades=welds.GRADES,
        codes=welds.codes(parts),
        traces=welds.signals({evaluation.policy: film}),
        film=welds.film(film),
        setting=setting,
        provenance=provenance,
    )


def _insertion_page(
    evaluation: Evaluation[Any],
    parts: Sequence[insertions.Insertion],
    film: insertions.Insertion,
    setting: str,
    provenance: Mapping[str, str],
) -> str:
    """How every part ended, force over depth of all of them, and torque over turns where they have it."""
    return page(
        "insertions.html.j2",
        evaluation=evaluation,
        figures=[figure_cell(figure) for figure in evaluation.figures],
        parts=[insertions.part_row(number, part) for number, part in _counted(parts)],
        outcomes=insertions.OUTCOMES,
        words=insertions.words(film),
        force=insertions.force_over_depth(parts),
        torque=insertions.torque_over_turns(parts),
        film=insertions.film(film),
        setting=setting,
        provenance=provenance,
    )


def _counted(parts: Sequence[PartRecord[Any]]) -> enumerate[PartRecord[Any]]:
    return enumerate(parts, start=1)
