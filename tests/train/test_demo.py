"""Where `cellwright demo` writes."""

from pathlib import Path

from cellwright_train.demo import fresh


def test_a_demo_never_writes_where_another_has(tmp_path: Path) -> None:
    first, second = fresh(tmp_path / "demo"), fresh(tmp_path / "demo")
    assert [first.name, second.name] == ["001", "002"]
    assert first.is_dir()
    assert second.is_dir()
