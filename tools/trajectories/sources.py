"""Finds code whose result depends on the processor, if only in the last bit.

Code that feeds a step must not contain it: one bit is enough for two runs of one seed to diverge. Instead,
sums are written out (`cellwright_assets.arithmetic`) or compiled, and functions are those of the C library.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "sim_assets/cellwright_assets",
    "perception/cellwright_perception",
    "policies/cellwright_runtime",
    "envs/cellwright_envs",
)
"""Everything in them may feed a step, except the files in `EXEMPT`."""
_WIRE = "between a controller and a program that drives it, below what a step computes"
EXEMPT = {
    "envs/cellwright_envs/assembly/picture.py": "draws for people, after the step",
    "envs/cellwright_envs/rendering/picture.py": "draws for people, after the step",
    "envs/cellwright_envs/rendering/studio.py": "draws for people, after the step",
    "envs/cellwright_envs/welding/picture.py": "draws for people, after the step",
    "policies/cellwright_runtime/camera/calibration.py": "of real cameras, which no simulated step has",
    "policies/cellwright_runtime/camera/lens.py": "of real cameras, which no simulated step has",
    "policies/cellwright_runtime/camera/sources.py": "of real cameras, which no simulated step has",
    "policies/cellwright_runtime/camera/warp.py": "of real cameras, which no simulated step has",
    **dict.fromkeys(
        (
            "envs/cellwright_envs/virtual/abb_egm.py",
            "envs/cellwright_envs/virtual/kuka_rsi.py",
            "envs/cellwright_envs/virtual/ur/controller.py",
            "envs/cellwright_envs/virtual/ur/inputs.py",
            "envs/cellwright_envs/virtual/ur/motion.py",
            "envs/cellwright_envs/virtual/ur/program.py",
            "envs/cellwright_envs/virtual/video.py",
            "policies/cellwright_runtime/drivers/abb_egm.py",
            "policies/cellwright_runtime/drivers/fanuc_stream.py",
            "policies/cellwright_runtime/drivers/ur.py",
        ),
        _WIRE,
    ),
}

_BLAS = ("vdot", "matmul", "inner", "einsum", "tensordot", "linalg", "kron", "correlate", "convolve")
_VECTORS = (
    *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "sinc"),
    *("sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"),
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "logaddexp", "logaddexp2"),
    *("power", "float_power", "cbrt"),
)
_TIES = ("argsort", "argpartition", "lexsort")
_COMPILERS = ("njit", "jit", "compiled", "compiled_as")
_COMPILABLE = ("register_jitable", "compilable")
"""Decorators of functions that are compiled where a compiled function calls them, and use NumPy elsewhere."""


def faults(source: str, *, always_compiled: bool = False) -> list[str]:
    """Places of `source` that depend on the processor, each as its line number and the reason.

    `always_compiled` means that compiled functions alone call those with a decorator of `_COMPILABLE`, as in
    the cells.
    """
    compilers = _COMPILERS + (_COMPILABLE if always_compiled else ())
    return sorted(set(_faults(ast.parse(source), compilers, compiled=False)))


def checked_files() -> list[Path]:
    """Every module that may feed a step, relative to the repository."""
    files = [file.relative_to(ROOT) for each in PACKAGES for file in sorted((ROOT / each).rglob("*.py"))]
    return [file for file in files if file.as_posix() not in EXEMPT]


def _faults(node: ast.AST, compilers: tuple[str, ...], *, compiled: bool) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef):
        compiled = compiled or any(_name(each) in compilers for each in node.decorator_list)
    why = _why(node, compiled=compiled)
    if why:
        yield f"line {getattr(node, 'lineno', 0)}: {why}"
    for child in ast.iter_child_nodes(node):
        yield from _faults(child, compilers, compiled=compiled)


def _name(decorator: ast.expr) -> str:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _why(node: ast.AST, *, compiled: bool) -> str:
    """The reason why `node` depends on the processor; empty where it does not."""
    if isinstance(node, ast.BinOp | ast.AugAssign):
        return _of_operator(node, compiled=compiled)
    if isinstance(node, ast.Attribute):
        return _of_attribute(node, compiled=compiled)
    if isinstance(node, ast.Call):
        return _of_call(node)
    if isinstance(node, ast.Import | ast.ImportFrom):
        return _of_import(node)
    return ""


def _of_operator(node: ast.BinOp | ast.AugAssign, *, compiled: bool) -> str:
    if isinstance(node.op, ast.MatMult):
        return "@ calls a BLAS; write the product out or use cellwright_assets.arithmetic"
    exponent = node.right if isinstance(node, ast.BinOp) else node.value
    fraction = isinstance(exponent, ast.Constant) and isinstance(exponent.value, float)
    if isinstance(node.op, ast.Pow) and fraction and not compiled:
        return "a fractional power of an array runs NumPy's vector code; compile it or use math.pow"
    return ""


def _of_attribute(node: ast.Attribute, *, compiled: bool) -> str:
    of_numpy = isinstance(node.value, ast.Name) and node.value.id in {"np", "numpy"}
    if node.attr == "dot" or (of_numpy and node.attr in _BLAS):
        return f"{node.attr} calls a BLAS; write it out or use cellwright_assets.arithmetic"
    if of_numpy and node.attr in _VECTORS and not compiled:
        return f"np.{node.attr} runs NumPy's vector code; use math or cellwright_assets.arithmetic"
    return ""


def _of_call(node: ast.Call) -> str:
    names = {keyword.arg: keyword.value for keyword in node.keywords}
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if method in _TIES:
        kind = names.get("kind")
        if not (isinstance(kind, ast.Constant) and kind.value == "stable"):
            return f"{method} orders equal elements by vector width; pass kind='stable'"
    if names.keys() & {"fastmath", "parallel"}:
        return "fastmath and parallel let the compiler change the order of sums"
    return ""


def _of_import(node: ast.Import | ast.ImportFrom) -> str:
    modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
    names = {part for module in modules for part in module.split(".")}
    if names & {"cv2", "opencv", "scipy", "torch"}:
        return "OpenCV, SciPy and torch choose their code by the processor"
    if isinstance(node, ast.ImportFrom) and node.module in {"numpy", "numpy.linalg"}:
        return "write import numpy as np: only names such as np.sum are checked here"
    return ""
