"""Generated code is timed beside ONNX Runtime, and a machine without a compiler says why it is not."""

import pytest

from cellwright_train.bench import code
from cellwright_train.bench.figures import Effort

ONCE = Effort(repeats=1, env_steps=1, frames=1, decisions=3, training_iterations=0)


@pytest.fixture(autouse=True)
def _only_the_weld(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code.zoo, "names", lambda: ("weld-seam",))


def test_both_are_timed() -> None:
    figures = code.generated_code(ONCE)
    assert {name: figure["aim"] for name, figure in figures.items()} == {
        "weld_seam_onnx_runtime_p50_ms": "",
        "weld_seam_onnx_runtime_p99_ms": "<= 0.5",
        "weld_seam_c_p50_ms": "<= 1",
        "weld_seam_c_p99_ms": "",
    }
    assert all(figure["value"] > 0 and figure["unit"] == "ms" for figure in figures.values())


def test_without_a_compiler_the_figure_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CC", raising=False)
    figures = code.generated_code(ONCE)
    assert figures["weld_seam_c_p50_ms"]["missing"].startswith("there is no C compiler here")
