"""The vector operations that the reservoir's compiled loop is made of, as LLVM code.

Written for 32 lanes; LLVM splits them into what the processor has (AVX2, AVX-512, NEON). Numba
alone does not keep the sums in registers across rows, which costs a factor of three.
Addresses are integers (`array.ctypes.data`); nothing is checked here.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 32
ROWS_AT_ONCE = 4  # rows added in 16 bits before the sum is widened to 32

_I16, _I32, _I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_SHORTS, _INTS = ir.VectorType(_I16, LANES), ir.VectorType(_I32, LANES)


def _at(builder: Any, address: Any, kind: ir.Type) -> Any:  # noqa: ANN401
    return builder.inttoptr(address, kind.as_pointer())


def _load(builder: Any, address: Any, kind: ir.VectorType) -> Any:  # noqa: ANN401
    return builder.load(_at(builder, address, kind), align=kind.element.get_abi_size(_layout()))


def _layout() -> Any:  # noqa: ANN401
    from numba.core.registry import cpu_target

    return cpu_target.target_context.target_data


def _splat(builder: Any, value: Any, lanes: int = LANES) -> Any:  # noqa: ANN401
    vector = ir.VectorType(value.type, lanes)
    single = builder.insert_element(ir.Constant(vector, ir.Undefined), value, _I32(0))
    return builder.shuffle_vector(
        single,
        ir.Constant(vector, ir.Undefined),
        ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes),
    )


@intrinsic(prefer_literal=True)
def add_rows(_typing, vectors, table, stride, active, count, out):  # noqa: ANN001, ANN201, ARG001
    """Sum int16 rows of a table into int32: out[j] = sum over k of table[active[k], j].

    Args:
        vectors: literal; the rows are 32 * vectors wide.
        table: address of row 0.
        stride: bytes from row to row.
        active: address of the row numbers, uint32; their count is padded to a multiple of
            four with the number of a row of zeros. Four rows must not overflow 16 bits.
        count: that many, a multiple of four.
        out: address of the int32 sums.
    """
    if not isinstance(vectors, types.IntegerLiteral):
        return None
    width = vectors.literal_value

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401, ARG001
        _, table, stride, active, count, out = arguments
        sums = [cgutils.alloca_once_value(builder, ir.Constant(_INTS, None)) for _ in range(width)]
        groups = builder.udiv(count, _I64(ROWS_AT_ONCE))
        with cgutils.for_range(builder, groups) as loop:
            first = builder.mul(loop.index, _I64(4 * ROWS_AT_ONCE))
            rows = []
            for k in range(ROWS_AT_ONCE):
                place = builder.add(active, builder.add(first, _I64(4 * k)))
                number = builder.zext(builder.load(_at(builder, place, _I32)), _I64)
                rows.append(builder.add(table, builder.mul(number, stride)))
            for v in range(width):
                parts = [
                    _load(builder, builder.add(row, _I64(2 * LANES * v)), _SHORTS) for row in rows
                ]
                pairs = [builder.add(parts[0], parts[1]), builder.add(parts[2], parts[3])]
                wide = builder.sext(builder.add(*pairs), _INTS)
                builder.store(builder.add(builder.load(sums[v]), wide), sums[v])
        for v in range(width):
            place = builder.add(out, _I64(4 * LANES * v))
            builder.store(builder.load(sums[v]), _at(builder, place, _INTS), align=4)
        return context.get_dummy_value()

    return types.void(vectors, *[types.int64] * 5), codegen


@intrinsic
def lif_lanes(_typing, membrane, drive, seen, unit, decay, threshold):  # noqa: ANN001, ANN201, ARG001
    """One LIF step of 32 neurons; returns who fired, bit k for neuron k (uint32).

    u = decay * u + unit * drive, fires where u > threshold, and what fired is set to 0.

    Args:
        membrane: address of the membranes u, in the floating type of the last three.
        drive: address of int32 sums.
        seen: address of float32 counts, which grow by the spikes.
        unit: weight of 1 in the sums.
        decay: d.
        threshold: Vth.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401, ARG001
        membrane, drive, seen, unit, decay, threshold = arguments
        floats = ir.VectorType(unit.type, LANES)
        old = _load(builder, membrane, floats)
        sums = builder.sitofp(_load(builder, drive, _INTS), floats)
        new = builder.fadd(
            builder.fmul(_splat(builder, decay), old), builder.fmul(_splat(builder, unit), sums)
        )
        fired = builder.fcmp_ordered(">", new, _splat(builder, threshold))
        left = builder.select(fired, ir.Constant(floats, None), new)
        builder.store(left, _at(builder, membrane, floats), align=unit.type.get_abi_size(_layout()))
        counts = builder.fadd(_load(builder, seen, _FLOATS), builder.uitofp(fired, _FLOATS))
        builder.store(counts, _at(builder, seen, _FLOATS), align=4)
        return builder.bitcast(fired, _I32)

    return types.uint32(types.int64, types.int64, types.int64, unit, unit, unit), codegen


BIT_PLACES = np.zeros((256, 8), np.uint8)  # numbers of the set bits of every byte, in order
for _byte in range(256):
    _places = [k for k in range(8) if _byte >> k & 1]
    BIT_PLACES[_byte, : len(_places)] = _places


@intrinsic
def append_bits(_typing, bits, base, places, out):  # noqa: ANN001, ANN201, ARG001
    """Write base + k for every set bit k of a uint32; returns how many there are.

    A byte at a time without branches, which spikes would make unpredictable: 8 numbers are
    stored for every byte, and the next byte's overwrite those that do not count.

    Args:
        bits: uint32.
        base: uint32 added to every number.
        places: address of `BIT_PLACES`.
        out: address of uint32s, with room for 8 more than there are bits.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401, ARG001
        bits, base, places, out = arguments
        eight, bytes8 = ir.VectorType(_I32, 8), ir.VectorType(ir.IntType(8), 8)
        offsets = _splat(builder, base, 8)
        total = _I64(0)
        for k in range(4):
            byte = builder.and_(builder.lshr(bits, _I32(8 * k)), _I32(255))
            place = builder.add(places, builder.shl(builder.zext(byte, _I64), _I64(3)))
            numbers = builder.zext(_load(builder, place, bytes8), eight)
            numbers = builder.add(numbers, builder.add(offsets, ir.Constant(eight, [8 * k] * 8)))
            at = builder.add(out, builder.shl(total, _I64(2)))
            builder.store(numbers, _at(builder, at, eight), align=4)
            total = builder.add(total, builder.zext(builder.ctpop(byte), _I64))
        return total

    return types.int64(types.uint32, types.uint32, types.int64, types.int64), codegen


@intrinsic
def load_int(_typing, address):  # noqa: ANN001, ANN201, ARG001
    """The int64 at an address."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401, ARG001
        return builder.load(_at(builder, arguments[0], _I64))

    return types.int64(types.int64), codegen


@intrinsic
def store_int(_typing, address, number):  # noqa: ANN001, ANN201, ARG001
    """Write an int64 to an address."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401, ARG001
        address, number = arguments
        builder.store(number, _at(builder, address, _I64), align=4)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic(prefer_literal=True)
def widen(_typing, count, source, target):  # noqa: ANN001, ANN201, ARG001
    """Copy `count` (a literal) uint16s as uint32s, from one address to another."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        _, source, target = arguments
        lanes = signature.args[0].literal_value
        narrow, wide = ir.VectorType(_I16, lanes), ir.VectorType(_I32, lanes)
        numbers = builder.zext(_load(builder, source, narrow), wide)
        builder.store(numbers, _at(builder, target, wide), align=4)
        return context.get_dummy_value()

    return types.void(count, types.int64, types.int64), codegen
