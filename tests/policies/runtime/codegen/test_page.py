"""What docs/codegen.md shows compiles and says what it claims."""

import re
import subprocess
from pathlib import Path

from tests.policies.runtime.codegen.code import compile_c, generated

PAGE = Path(__file__).parents[4] / "docs" / "codegen.md"


def test_the_program_on_the_page_runs_and_the_figures_are_those_of_the_code(tmp_path: Path) -> None:
    bundle, code = generated("peg-insertion")
    for name, data in code.files.items():
        (tmp_path / name).write_bytes(data)
    page = PAGE.read_text()
    example = re.search(r"```c\n(#include <stdio.h>.*?)```", page, re.DOTALL)
    assert example
    (tmp_path / "main.c").write_text(example[1])
    compile_c("-O0", "-o", tmp_path / "main", *sorted(tmp_path.glob("*.c")), "-lm")
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    for line, part in zip(lines, bundle.spec.action, strict=True):
        found = re.fullmatch(rf"{part.name} = (\S+) {re.escape(part.unit)}", line)
        assert found
        assert part.low <= float(found[1]) <= part.high
    placed = re.search(r"```c\n(static policy_envelope envelope;.*?)```", page, re.DOTALL)
    assert placed
    declared, stated = placed[1].split("place.cycle_s", 1)
    (tmp_path / "main.c").write_text(
        f'#include "policy_envelope.h"\n{declared}'
        f"int main(void) {{\nplace.cycle_s{stated}return envelope.state != POLICY_STATE_DISARMED; }}\n"
    )
    compile_c("-O0", "-o", tmp_path / "main", *sorted(tmp_path.glob("*.c")), "-lm")
    assert subprocess.run([tmp_path / "main"], check=False).returncode == 0
    for figure in ("operations a decision", "of them multiplications", "ROM for constants"):
        shown = re.search(rf"^\| {figure} \| .+ \| (.+?) \|$", page, re.MULTILINE)
        assert shown
        assert shown[1] == dict(code.figures.rows())[figure]
