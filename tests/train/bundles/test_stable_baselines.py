"""The page's way from a plain model of Stable-Baselines3 to a bundle."""

import re
from pathlib import Path

import pytest

from cellwright_train.bundles.verification import verify

PAGE = Path(__file__).parents[3] / "docs" / "bundle.md"


@pytest.mark.slow
def test_the_code_on_the_page_exports_a_model_that_passes_verification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = PAGE.read_text().split("## Export a policy of Stable-Baselines3")[1]
    code = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[0]
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    exec(compile(code, "docs/bundle.md", "exec"), names)
    names["env"].close()  # type: ignore[attr-defined]
    checks = verify(tmp_path / "ppo-bundle", workers=1, progress=False)
    assert [check for check in checks if not check.passed] == []
    assert checks[-1].name == "closed loop"
