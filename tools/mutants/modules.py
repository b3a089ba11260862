"""Which module imports which, and which tests import it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from tools.mutants.mutant import PACKAGES, ROOT

COMPILED = ("njit", "compiled", "compilable", "register_jitable")


def module_of(file: str) -> str:
    """Dotted name of a package's file."""
    parts = Path(file).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources() -> tuple[str, ...]:
    """Every Python file of every package, as a path from the root."""
    found = (path for name, home in PACKAGES.items() for path in (ROOT / home / name).rglob("*.py"))
    return tuple(sorted(str(path.relative_to(ROOT)) for path in found))


@lru_cache(maxsize=1)
def _importers() -> dict[str, set[str]]:
    """Module to the files, of packages and tests, that import it."""
    importers: dict[str, set[str]] = {}
    tests = (str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("*.py"))
    for file in (*sources(), *tests):
        for module in _imported(ast.parse((ROOT / file).read_text())):
            importers.setdefault(module, set()).add(file)
    return importers


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def users(file: str) -> tuple[set[str], set[str]]:
    """Files that import `file`: those that import it directly, and those that do so only through others."""
    direct = set(_importers().get(module_of(file), ()))
    everyone, fresh = set(direct), set(direct)
    while fresh:
        packages = (each for each in fresh if not each.startswith("tests"))
        fresh = {user for each in packages for user in _importers().get(module_of(each), ())} - everyone
        everyone |= fresh
    return direct, everyone - direct


@lru_cache(maxsize=1)
def _frozen() -> dict[str, set[str]]:
    """File with compiled code to the files whose values may be frozen in that code, itself among them.

    Numba compiles the globals that a function uses as constants. The module may import such a global, or
    compute it from others that it imports, and the imported module may have computed it from yet others.
    """
    files = {module_of(file): file for file in sources()}
    frozen = {}
    for file in sources():
        text = (ROOT / file).read_text()
        if not any(word in text for word in COMPILED):
            continue
        seen, pending = {file}, [files[module] for module in _named_in_code(ast.parse(text)) & files.keys()]
        while pending:
            if (each := pending.pop()) not in seen:
                seen.add(each)
                imported = _imported(ast.parse((ROOT / each).read_text()))
                pending += [files[module] for module in imported if module in files]
        frozen[file] = seen
    return frozen


def _named_in_code(tree: ast.Module) -> set[str]:
    """Modules from which compiled functions get the names that they use, directly or through other names."""
    origins: dict[str, set[str]] = {}
    made: dict[str, set[str]] = {}
    used: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                origins[alias.asname or alias.name] = {node.module, f"{node.module}.{alias.name}"}
        elif isinstance(node, ast.Import):
            origins |= {(alias.asname or alias.name).split(".")[0]: {alias.name} for alias in node.names}
        elif isinstance(node, ast.FunctionDef) and node.decorator_list:
            used |= _names(node)
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            made |= {name: _names(node.value) for target in targets for name in _names(target)}
        elif isinstance(node, ast.FunctionDef):
            made[node.name] = _names(node)
    while more := {name for known in used & made.keys() for name in made[known]} - used:
        used |= more
    return {module for name in used & origins.keys() for module in origins[name]}


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def compiled_users(file: str) -> set[str]:
    """Files with compiled code in which values of `file` may be frozen."""
    return {user for user, frozen in _frozen().items() if file in frozen}


def tests_of(file: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Files of tests of `file` in two groups, the first to be run first.

    First those that import it or mirror its name; then the others in the mirrored folder, and those that
    import it through other files.
    """
    direct, others = users(file)
    mirrored = ROOT / "tests" / Path(*_mirrored(file))
    near = {each for each in direct if _is_test(each)}
    if mirrored.is_dir():
        near |= {
            str(path.relative_to(ROOT))
            for path in mirrored.glob("test_*.py")
            if path.stem.removeprefix("test_") in Path(file).stem
            or Path(file).stem in path.stem.removeprefix("test_")
        }
    used = {test for each in direct if not _is_test(each) for test in users(each)[0] if _is_test(test)}
    wide = ({str(path.relative_to(ROOT)) for path in mirrored.glob("test_*.py")} | used) - near
    further = {each for each in others if _is_test(each)} - near - wide
    return tuple(sorted(near)), (*sorted(wide), *sorted(further))


def _mirrored(file: str) -> tuple[str, ...]:
    """Parts of the path, below `tests`, of the folder with the tests of the folder of `file`."""
    home, package, *rooms, _ = Path(file).parts
    return (home, *(["runtime"] if package == "cellwright_runtime" else []), *rooms)


def _is_test(file: str) -> bool:
    return Path(file).name.startswith("test_")
