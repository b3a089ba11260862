"""Whatever is wrong in a line's file: one line that names file, line, key and what would be right."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cellwright_train.cli import main
from tests.train.lines.conftest import HEAD

BATCH = """
[[batch]]
product = "round-8-0.5"
parts = 6
"""
CHANGE = f"{BATCH}[[batch.change]]\n"
MOVED = f'{CHANGE}line_change = "moved-fixture"\n'
WEAR = f"""{BATCH}
[[wear]]
name = "pads"
set = {{ "grip_strength.factor" = {{ times = 0.99 }} }}
"""
GEARS = '[[batch]]\ncell = "gear-mesh"\nproduct = "train"\nparts = 1\n'
AFTER_HEAD = HEAD.count("\n")


def inline(operation: str) -> str:
    return f'{CHANGE}name = "x"\ndescription = "X."\nset = {{ {operation} }}\n'


CASES = {
    # what is wrong: text after the head, its line there, what is told
    "no batch": ("", None, "needs the key 'batch'"),
    "empty line": ("batch = []\n", 1, "batch: must be a list of length >= 1, got []"),
    "one table for a list": (
        '[batch]\nproduct = "train"\n',
        1,
        "batch: must be written [[batch]], got a table",
    ),
    "unknown key": (
        "nmae = 1\n" + BATCH,
        1,
        "nmae: unknown key 'nmae'; did you mean 'name'? known: name, desc",
    ),
    "unknown key of a batch": (
        f"{BATCH}prodct = 1\n",
        5,
        "batch 1, prodct: unknown key 'prodct'; did you mean 'pro",
    ),
    "unknown key of a change": (
        f"{CHANGE}afer = 2\n",
        6,
        "batch 1, change 1, afer: unknown key 'afer'; did you mean",
    ),
    "missing key": ('[[batch]]\nproduct = "train"\n', 1, "batch 1: needs the key 'parts'"),
    "text for a number": (
        BATCH.replace("6", '"six"'),
        4,
        'batch 1, parts: must be a whole number, got "six"',
    ),
    "fraction for a number": (
        BATCH.replace("6", "6.5"),
        4,
        "batch 1, parts: must be a whole number, got 6.5",
    ),
    "truth for a number": (BATCH.replace("6", "true"), 4, "batch 1, parts: must be a whole number, got true"),
    "number for text": (BATCH.replace('"round-8-0.5"', "8"), 3, "batch 1, product: must be text, got 8"),
    "text for truth": (
        f'{MOVED}announced = "yes"\n',
        7,
        'batch 1, change 1, announced: must be true or false, got "',
    ),
    "negative count": (BATCH.replace("6", "-6"), 4, "batch 1, parts: must be a whole number >= 1, got -6"),
    "no parts": (BATCH.replace("6", "0"), 4, "batch 1, parts: must be a whole number >= 1, got 0"),
    "too many parts": (
        3 * BATCH.replace("parts = 6", "parts = 9999"),
        2,
        "batch: all together have 29997 parts; at most 10000",
    ),
    "negative after": (
        f"{MOVED}after = -1\n",
        7,
        "batch 1, change 1, after: must be a whole number >= 0, got -1",
    ),
    "negative time": (f"rework_s = -1\n{BATCH}", 1, "rework_s: must be a number >= 0.0, got -1"),
    "endless time": (f"rework_s = inf\n{BATCH}", 1, "rework_s: must be finite, got inf"),
    "no number": (f"rework_s = nan\n{BATCH}", 1, "rework_s: must be finite, got nan"),
    "ideal of nothing": (f"ideal_cycle_s = 0\n{BATCH}", 1, "ideal_cycle_s: must be a number > 0.0, got 0"),
    "empty text": (
        BATCH.replace("round-8-0.5", ""),
        3,
        'batch 1, product: must be text of length >= 1, got ""',
    ),
    "unknown product": (
        BATCH.replace("round-8", "rond-8"),
        3,
        "batch 1, product: unknown part 'rond-8-0.5'; did you m",
    ),
    "product of another cell": (
        BATCH.replace("round-8-0.5", "lap-arc-3.2"),
        3,
        "product: unknown part 'lap-arc-3.2'",
    ),
    "unknown cell": (
        f'{BATCH}cell = "peg-insertoin"\n',
        5,
        "cell: unknown cell 'peg-insertoin'; did you mean 'peg-ins",
    ),
    "version of a cell": (
        f'{BATCH}cell = "cellwright/WeldSeam-v1"\n',
        5,
        "names no version of a cell; write 'weld-seam'",
    ),
    "unknown set": (
        f'{BATCH}disturbances = "trian"\n',
        5,
        "batch 1, disturbances: unknown disturbance 'trian'. Did",
    ),
    "set of another family": (
        f'{BATCH}disturbances = "arc_glare"\n',
        5,
        "disturbances: unknown disturbance 'arc_glare'",
    ),
    "unknown line change": (
        MOVED.replace("fixture", "fixtrue"),
        6,
        "line_change: unknown line change 'moved-fixtrue'; d",
    ),
    "line change of another family": (
        MOVED.replace("moved-fixture", "bent-wire"),
        6,
        "line_change: 'bent-wire' belongs to welding, and the cell here is one of assembly",
    ),
    "unknown field": (
        inline('"exposure.mean_gane" = { times = 1 }'),
        8,
        "exposure.mean_gane: unknown field 'mean_gane'",
    ),
    "unknown disturbance": (
        inline('"exposur.x" = { times = 1 }'),
        8,
        "set, exposur.x: unknown disturbance 'exposur'. D",
    ),
    "field of another family": (
        inline('"arc_glare.halo_px" = { times = 1 }'),
        8,
        "arc_glare.halo_px: 'arc_glare' belongs to welding, and the cell here is one of assembly",
    ),
    "wrong operation": (
        inline('"exposure.mean_gain" = { time = 1 }'),
        8,
        "time: unknown key 'time'; did you mean 'times'",
    ),
    "two operations": (
        inline('"exposure.mean_gain" = { times = 1, to = 2 }'),
        8,
        "needs one of times, plus and to",
    ),
    "no operation": (
        inline('"exposure.mean_gain" = {}'),
        8,
        "exposure.mean_gain: needs one of times, plus and to",
    ),
    "bare value": (inline('"exposure.mean_gain" = 0.5'), 8, "exposure.mean_gain: must be a table, got 0.5"),
    "text to add": (
        inline('"exposure.mean_gain" = { plus = "x" }'),
        8,
        'plus: must be a number or a list, got "x"',
    ),
    "empty set": (
        f"{CHANGE}set = {{}}\n",
        5,
        "batch 1, change 1: needs one of the keys line_change, set and undo",
    ),
    "one number for three": (
        inline('"fixture_pose.mean_m" = { plus = 1 }'),
        8,
        "set, fixture_pose.mean_m: it is 3 numbers, (0.0, 0.0, 0.0), and not 1.0",
    ),
    "three numbers for one": (
        inline('"exposure.mean_gain" = { to = [1, 2, 3] }'),
        8,
        "it is one number, 1.0, and not",
    ),
    "value that the field refuses": (
        inline('"exposure.mean_gain" = { to = -1 }'),
        8,
        "Exposure: need mean_gain > 0, g",
    ),
    "fraction of a step": (
        inline('"actuator_latency.steps" = { to = [0.5, 1] }'),
        8,
        "it is a whole number, 0, and to",
    ),
    "change after the end": (
        f"{MOVED}after = 6\n",
        7,
        "after: must be less than the 6 parts of the batch, got 6",
    ),
    "two kinds of change": (
        f'{MOVED}undo = "moved-fixture"\n',
        5,
        "needs one of the keys line_change, set and undo",
    ),
    "set without a name": (
        f'{CHANGE}set = {{ "exposure.mean_gain" = {{ times = 1 }} }}\n',
        5,
        "needs a name and a desc",
    ),
    "description of the catalogue": (
        f'{MOVED}description = "X."\n',
        7,
        "description: belongs to set; a line_change has",
    ),
    "undo of nothing": (
        f'{CHANGE}undo = "moved-fixture"\n',
        6,
        "undo: unknown change in force 'moved-fixture'; known: not",
    ),
    "undo of another": (
        f'{MOVED}[[batch.change]]\nundo = "moved-fixtrue"\n',
        8,
        "did you mean 'moved-fixture'?",
    ),
    "undo with a name": (
        f'{MOVED}[[batch.change]]\nundo = "x"\nname = "y"\n',
        7,
        "undo takes neither name nor descri",
    ),
    "change that is in force": (
        f'{MOVED}[[batch.change]]\nline_change = "moved-fixture"\n',
        8,
        "'moved-fixture' is in force already; undo it first, or give this one a name",
    ),
    "undo in another cell": (
        f'{MOVED}{GEARS}[[batch.change]]\nundo = "moved-fixture"\n',
        12,
        "batch 2, change 1, undo: unknown change in force 'moved-fixture'; known: nothing",
    ),
    "unknown equipment": (
        f'{BATCH}replace = ["pads"]\n',
        5,
        "replace 1: unknown equipment that wears here 'pads'; kn",
    ),
    "wear that sets": (
        WEAR.replace("times = 0.99", "to = 1"),
        8,
        "is a law of wear, which takes times or plus",
    ),
    "wear in no cell": (
        f'{WEAR}cell = "gear-mesh"\n',
        9,
        "cell: no batch is made in 'gear-mesh', only in peg-inser",
    ),
    "wear twice": (
        f"{WEAR}{WEAR.removeprefix(BATCH)}",
        11,
        "wear 2, name: 'pads' is there already in peg-insertion",
    ),
    "wear beyond what a field bears": (
        WEAR.replace("0.99", "0.1"),
        8,
        "wear 1, set, grip_strength.factor: GripStrength: need 0.05 <= lowest <= highest",
    ),
    "wear beyond all numbers": (
        WEAR.replace("0.99", "1.1") + "used_parts = 100000\n",
        8,
        "wear 1, set, grip_strength.factor: times inf makes inf of",
    ),
    "number beyond all numbers": (
        f"rework_s = 1{400 * '0'}\n{BATCH}",
        1,
        "rework_s: number out of range, got 1000",
    ),
    "no value": ("rework_s =\n", 1, "no TOML, column 11: Invalid value"),
    "key twice": (f"rework_s = 1\nrework_s = 2\n{BATCH}", 2, "no TOML, column 13: Cannot overwrite a value"),
    "open bracket": (f'{BATCH}replace = ["a"\n', 5, "no TOML, at the end: Unclosed array"),
    "open text": ('rework_s = "1\n', 1, "no TOML, column 14: Illegal character"),
    "no statement": (f"{BATCH}!\n", 5, "no TOML, column 1: Invalid statement"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_one_line_and_nothing_is_overwritten(
    case: str, written: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, number, told = CASES[case]
    path = written(text)
    results = tmp_path / "results.json"
    results.write_text("precious")
    assert main(["shift", str(path), "--policies", "oracle", "--json", str(results)]) == 2
    output = capsys.readouterr()
    where = 1 if number is None else AFTER_HEAD + number
    assert output.err.startswith(f"cellwright: {path}:{where}: "), output.err
    assert told in output.err
    assert (output.err.count("\n"), output.out) == (1, "")
    assert results.read_text() == "precious"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["pegs.toml", "results.json"]


@pytest.mark.parametrize(
    ("head", "number", "told"),
    [
        (HEAD.replace("7000", "-1"), 4, "seed: must be a whole number >= 0, got -1"),
        (
            HEAD.replace('"pegs"', '"My Pegs"'),
            2,
            "name: must be lower-case words joined by '-', got 'My Pegs'",
        ),
        (
            HEAD.replace("peg-insertion", "peg-insert"),
            5,
            "cell: unknown cell 'peg-insert'; did you mean 'peg-insertion'?",
        ),
        (
            HEAD.replace('"none"', '"nine"'),
            7,
            "disturbances: unknown disturbance 'nine'. Did you mean 'none'?",
        ),
        (HEAD.replace("every = 1", "every = 0"), 8, "inspected_every: must be a whole number >= 1, got 0"),
        (HEAD.replace("handling_s = 4.0\n", ""), 1, "needs the key 'handling_s'"),
    ],
)
def test_what_is_wrong_at_the_top_is_told_too(
    head: str, number: int, told: str, written: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(BATCH, head)
    assert main(["shift", str(path), "--policies", "oracle"]) == 2
    assert capsys.readouterr().err.startswith(f"cellwright: {path}:{number}: {told}")


def test_files_that_are_no_text_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b'name = "a"\nb = "\xff"\n')
    assert main(["shift", str(path), "--policies", "oracle"]) == 2
    assert capsys.readouterr().err == f"cellwright: {path}:2: this is not UTF-8, as all TOML is\n"
    path.write_text("a = " + "[" * 5000)
    assert main(["shift", str(path), "--policies", "oracle"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["shift", str(tmp_path / "none.toml"), "--policies", "oracle"]) == 2
    assert capsys.readouterr().err == f"cellwright: {tmp_path / 'none.toml'} is missing\n"


def test_windows_line_ends_are_read(written: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    path = written("")
    path.write_bytes((HEAD + BATCH.replace("6", "-6")).replace("\n", "\r\n").encode())
    assert main(["shift", str(path), "--policies", "oracle"]) == 2
    assert f"{path}:{AFTER_HEAD + 4}: batch 1, parts" in capsys.readouterr().err
