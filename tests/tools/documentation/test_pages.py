import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from cellwright_envs.welding.process.constants import ProcessConstants
from cellwright_train.cli import _parse
from tools.documentation.__main__ import PROGRAM, ROOT
from tools.documentation.environments import SECTIONS, environment_ids, page_of, rewards
from tools.documentation.pages import stale_pages
from tools.documentation.source import field_texts, is_assumed

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
README = ROOT / "README.md"
CODE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def command_lines(page: Path) -> Iterator[str]:
    for _, block in CODE.findall(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            yield line.strip().removeprefix("$ ").removeprefix(".venv/bin/")


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_generated_blocks_are_current() -> None:
    stale = stale_pages(ROOT)
    assert not stale, f"{', '.join(map(name, stale))}: run {PROGRAM}"


@pytest.mark.parametrize("env_id", environment_ids())
def test_every_environment_has_a_page_with_every_block(env_id: str) -> None:
    text = (DOCS / page_of(env_id)).read_text()
    for block in SECTIONS:
        assert f"generated: {block} {env_id} -->" in text


@pytest.mark.parametrize("env_id", environment_ids())
def test_the_documented_reward_terms_are_those_of_a_step(env_id: str) -> None:
    env = gymnasium.make(env_id, disable_env_checker=True)
    env.reset(seed=0)
    info = env.step(np.zeros(env.action_space.shape or (), np.float32))[4]
    env.close()
    listed = re.findall(r"^\| `(\w+)` \|", rewards(env_id), re.MULTILINE)
    assert listed == list(info["reward_terms"])
    page = (DOCS / page_of(env_id)).read_text()
    assert all(page.count(f"`{term}`") > 1 for term in listed), "explain every term beside the table"


@pytest.mark.parametrize("page", [*PAGES, README, ROOT / "CONTRIBUTING.md"], ids=name)
def test_relative_links_resolve(page: Path) -> None:
    for target in LINK.findall(CODE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        where, _, anchor = target.partition("#")
        file = (page.parent / where) if where else page
        assert file.exists(), f"{name(page)} links to {target}"
        assert not anchor or anchor in anchors(file), f"{name(page)} links to {target}"


@pytest.mark.parametrize("page", [*PAGES, README], ids=name)
def test_command_lines_parse(page: Path) -> None:
    for line in command_lines(page):
        words = shlex.split(line, comments=True) if line.startswith(("cellwright", "python -m")) else []
        if words[:1] == ["cellwright"]:
            assert not isinstance(_parse(words[1:]), int), f"{name(page)}: {line}"
        elif words and words[2].startswith("cellwright"):
            assert find_spec(words[2]) is not None, f"{name(page)}: {line}"


@pytest.mark.parametrize("page", [*PAGES, README], ids=name)
def test_python_examples_compile_and_import_what_is_there(page: Path) -> None:
    for language, block in CODE.findall(page.read_text()):
        if language == "python":
            body = ast.parse(block, name(page)).body
            imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
            exec(compile(ast.Module(imports, []), name(page), "exec"), {})


def test_the_index_links_every_page() -> None:
    linked = {(DOCS / target).resolve() for target in LINK.findall((DOCS / "README.md").read_text())}
    assert not [name(page) for page in PAGES if page not in linked | {DOCS / "README.md"}]


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(n for extra in project["optional-dependencies"].values() for n in extra),
    ]
    reasons = (DOCS / "dependencies.md").read_text()
    packages = {re.split(r"[<>=!~\[ ]", requirement)[0] for requirement in wanted} - {"cellwright"}
    assert not [package for package in packages if f"| `{package}` |" not in reasons]


def test_every_constant_marked_as_an_assumption_is_listed() -> None:
    page = (DOCS / "assumptions.md").read_text()
    assumed = [field for field, text in field_texts(ProcessConstants).items() if is_assumed(text)]
    assert len(assumed) > 30
    assert not [field for field in assumed if f"| `{field}` |" not in page]
