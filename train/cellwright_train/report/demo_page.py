"""The page of `cellwright demo`: welds by several controllers, a line change, fine-tuning, one insertion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cellwright_train.report import insertions, welds
from cellwright_train.report.page import number, page, percent
from cellwright_train.results.welds import LEVELS, WeldEvaluation, WeldResult
from cellwright_train.rollout.recording import PartRecord


@dataclass(frozen=True, kw_only=True)
class PolicyStory:
    """One controller's parts, in the order in which they were welded."""

    label: str
    explanation: str
    """Description of the controller, in one plain sentence."""
    welds: tuple[PartRecord[WeldResult], ...]

    def evaluation(self, first: int = 0, last: int | None = None) -> WeldEvaluation:
        """Results of the parts with index `first` up to, but not including, `last`."""
        results = tuple(weld.result for weld in self.welds[first:last])
        return WeldEvaluation(policy=self.label, env="", seed=results[0].seed, results=results)


@dataclass(frozen=True, kw_only=True)
class Story:
    """Everything that the page shows."""

    policies: tuple[PolicyStory, ...]
    change_at: int
    """Index of the first part after the line change."""
    change: str
    """What changed, in one sentence."""
    film: PartRecord[WeldResult] | None = None
    """A weld with pictures."""
    insertion: insertions.Insertion | None = None
    """An insertion with pictures, to show the other cell."""
    fine_tuning: Mapping[str, str] = field(default_factory=dict)
    """Figures of the fine-tuning run, by label; empty where it was not run."""
    checks: Sequence[tuple[str, bool, str]] = ()
    """Name, verdict and detail of every check on the exported bundle."""
    notes: Sequence[str] = ()
    """What the reader should know about this run, one sentence each."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Command, seed, versions, machine."""


def demo_page(story: Story) -> str:
    """The page of a story."""
    part = _telling_part(story)
    return page(
        "demo.html.j2",
        story=story,
        provenance=story.provenance,
        rows=[_row(story, policy) for policy in story.policies],
        parts=_parts(story),
        grades=welds.GRADES,
        codes=welds.codes(weld for policy in story.policies for weld in policy.welds),
        traces=welds.signals({policy.label: policy.welds[part] for policy in story.policies}),
        trace_part=part + 1,
        trace_product=story.policies[0].welds[part].result.product,
        film=None if story.film is None else welds.film(story.film),
        insertion=None if story.insertion is None else insertions.film(story.insertion),
        levels=LEVELS,
        graded_by=story.policies[0].evaluation().graded_by,
    )


def _row(story: Story, policy: PolicyStory) -> dict[str, Any]:
    everything = policy.evaluation()
    return {
        "label": policy.label,
        "explanation": policy.explanation,
        "yields": [percent(everything.first_pass_yield(level)) for level in LEVELS],
        "before": percent(policy.evaluation(last=story.change_at).first_pass_yield("C")),
        "after": percent(policy.evaluation(first=story.change_at).first_pass_yield("C")),
        "defects": number(everything.defect_mm_per_m, 1),
        "tracking": number(everything.tracking_mean_mm, 2),
        "cycle": number(everything.cycle_time_s, 1),
        "crashes": everything.crashes,
    }


def _parts(story: Story) -> list[dict[str, Any]]:
    count = len(story.policies[0].welds)
    return [
        {
            "number": index + 1,
            "product": story.policies[0].welds[index].result.product,
            "changed": index == story.change_at,
            "welds": [welds.seam(policy.welds[index]) for policy in story.policies],
        }
        for index in range(count)
    ]


def _telling_part(story: Story) -> int:
    """Index of the part after the change on which the last controller improves most on the first one."""
    first, last = story.policies[0].welds, story.policies[-1].welds
    gains = [a.result.defect_mm - b.result.defect_mm for a, b in zip(first, last, strict=True)]
    after = range(min(story.change_at, len(gains) - 1), len(gains))
    return max(after, key=lambda index: gains[index])
