"""Programs of others in processes of their own."""

from pathlib import Path

from tests.processes import Process


def test_what_a_program_leaves_goes_with_it() -> None:
    process = Process("import os\nopen('left-by-a-client', 'w').close()")
    try:
        assert not Path("left-by-a-client").exists()
        where = Path(process.ask("os.getcwd()"))
        assert [each.name for each in where.iterdir()] == ["left-by-a-client"]
    finally:
        process.close()
    assert not where.exists()
