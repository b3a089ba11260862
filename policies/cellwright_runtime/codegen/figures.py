"""What a generated program needs: operations of a decision, memory, constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cellwright_runtime.codegen.program import Array, Kernel, arrays, operations, size_bytes

_SIMPLE = ("add", "sub", "mul", "div", "max", "min", "clip", "below_zero", "negative", "abs", "float")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Counted in the program itself, so they hold for every compiler."""

    operators: int
    """Operators of the graph."""
    loops: int
    """Kernels, each of which does the work of one or more operators."""
    multiplications: int
    operations: int
    """Of float32 in a decision, multiplications among them; a function such as exp counts as one."""
    functions: int
    """Calls of exp, sqrt and the like among them."""
    ram_bytes: int
    """Static memory, without the observation and the action, which are the caller's."""
    rom_bytes: int
    """Constants; the code itself comes in addition."""

    def rows(self) -> list[tuple[str, str]]:
        """What a table says, with units."""
        return [
            ("operators of the graph", f"{self.operators}"),
            ("kernels", f"{self.loops}"),
            ("operations a decision", f"{self.operations:,}"),
            ("of them multiplications", f"{self.multiplications:,}"),
            ("of them calls of functions", f"{self.functions:,}"),
            ("RAM", f"{self.ram_bytes:,} bytes"),
            ("ROM for constants", f"{self.rom_bytes:,} bytes"),
        ]


def figures(
    kernels: Sequence[Kernel], *, operators: int, ram_bytes: int, constants: Sequence[Array]
) -> Figures:
    """The figures of a program of `kernels` with these `constants`."""
    counted = operations(kernels)
    total = sum(counted.values())
    return Figures(
        operators=operators,
        loops=len(kernels),
        multiplications=counted.get("mul", 0),
        operations=total,
        functions=total - sum(counted.get(name, 0) for name in _SIMPLE),
        ram_bytes=ram_bytes,
        rom_bytes=sum(size_bytes(each) for each in constants),
    )


def constants_of(kernels: Sequence[Kernel]) -> list[Array]:
    """The constant arrays that kernels read, in the order of their first use."""
    found = dict.fromkeys(array for kernel in kernels for array in arrays(kernel))
    return [array for array in found if array.values is not None]
