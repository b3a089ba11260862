"""The examples for CI: they are what they say, and their commands do it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

EXAMPLES = Path(__file__).parents[3] / "docs" / "ci"
SCENARIO = """pain = "A test."
cell = "peg-insertion"
products = "round-16-1"
seed = {seed}
[bar]
good = 0.9
reason = "A test."
"""
SUITE = """name = "pegs"
scenarios = ["a.toml", "b.toml", "c.toml", "d.toml"]
parts = 2
[policies]
peg-insertion = "oracle"
"""


def github() -> tuple[list[dict[str, str]], str, str]:
    """Environment of every shard's job, what it runs, and what the last job runs."""
    data: dict[str, Any] = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())
    shard, verdict = data["jobs"]["shard"], data["jobs"]["verdict"]
    assert verdict["needs"] == "shard"
    numbers = shard["strategy"]["matrix"]["shard"]

    def filled(text: str, number: int) -> str:
        return text.replace("${{ matrix.shard }}", str(number))

    environments = [{name: filled(text, number) for name, text in shard["env"].items()} for number in numbers]
    uploads = [step for step in shard["steps"] if "upload-artifact" in step.get("uses", "")]
    assert [filled(uploads[0]["with"]["path"], number) for number in numbers] == [
        each["RESULTS"] for each in environments
    ]
    (examine,) = (step["run"] for step in shard["steps"] if step.get("name") == "examine")
    (join,) = (step["run"] for step in verdict["steps"] if step.get("name") == "join")
    return environments, examine, join


def gitlab() -> tuple[list[dict[str, str]], str, str]:
    data: dict[str, Any] = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())
    assert [data[job]["stage"] for job in ("examine", "verdict")] == data["stages"]
    assert data["verdict"]["artifacts"]["reports"]["junit"] in data["verdict"]["artifacts"]["paths"]
    count = data["examine"]["parallel"]
    environments = [
        {"CI_NODE_INDEX": str(number), "CI_NODE_TOTAL": str(count)} for number in range(1, count + 1)
    ]
    return environments, "\n".join(data["examine"]["script"]), "\n".join(data["verdict"]["script"])


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("ci")
    for number, name in enumerate("abcd"):
        (directory / f"{name}.toml").write_text(SCENARIO.format(seed=500 + 10 * number))
    (directory / "suite.toml").write_text(SUITE)
    assert run(directory, "cellwright regress suite.toml --against baseline.json --accept first", {}) == 0
    return directory


def run(directory: Path, script: str, environment: dict[str, str]) -> int:
    """Exit code of a script, as a runner of either kind runs it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, **environment}
    return subprocess.run(
        ["bash", "-e", "-c", script], cwd=directory, env=environment, check=False
    ).returncode


@pytest.mark.slow
@pytest.mark.parametrize("example", [github, gitlab])
def test_the_commands_of_an_example_come_to_one_verdict(example: Any, desk: Path) -> None:
    environments, examine, join = example()
    for environment in environments:
        assert run(desk, examine, environment) == 0
    assert run(desk, join, {}) == 0
    root = ElementTree.parse(desk / "regress.xml").getroot()
    assert (root.attrib["tests"], root.attrib["failures"], root.attrib["errors"]) == ("4", "0", "0")
    assert "UNCHANGED" in (desk / "regress.html").read_text()
    (desk / "shard-2.json").unlink()
    assert run(desk, join, {}) == 2
    assert run(desk, examine.replace("suite.toml", "no-suite.toml"), environments[1]) != 0
