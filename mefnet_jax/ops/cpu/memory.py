"""Reads memory at an address, and calls the C function at an address."""

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic

from mefnet_jax.ops.cpu import compiled


@intrinsic
def pointer(context, address):
  """Turns an integer into an address."""

  def generate(context, builder, signature, args):
    return builder.inttoptr(args[0], ir.IntType(8).as_pointer())

  return types.voidptr(types.int64), generate


@intrinsic
def call_function(context, function, argument):
  """Calls the C function at an address with one pointer; its 64-bit result."""

  def generate(context, builder, signature, args):
    word = ir.IntType(64)
    kind = ir.FunctionType(word, [word]).as_pointer()
    return builder.call(builder.inttoptr(args[0], kind), [args[1]])

  return types.int64(types.int64, types.int64), generate


@intrinsic
def span(context, values, begin, count):
  """values[begin : begin + count], for begin >= 0 and within the array.

  Without what Numba compiles for any other slice, which takes long to compile.
  The memory must outlive the view, as an array of XLA's outlives the call.
  """

  def generate(context, builder, signature, args):
    old = context.make_array(signature.args[0])(context, builder, args[0])
    new = context.make_array(signature.return_type)(context, builder)
    new.data = builder.gep(old.data, [args[1]])
    new.nitems, new.itemsize = args[2], old.itemsize
    new.shape = cgutils.pack_array(builder, [args[2]])
    new.strides = old.strides
    new.meminfo = cgutils.get_null_value(new.meminfo.type)
    new.parent = cgutils.get_null_value(new.parent.type)
    return new._getvalue()

  return values(values, types.intp, types.intp), generate


@intrinsic
def copy(context, x, x_at, y, y_at, count):
  """y[y_at : y_at + count] = x[x_at : x_at + count], which do not overlap."""

  def generate(context, builder, signature, args):
    source, to = (
      builder.gep(
        context.make_array(signature.args[n])(context, builder, args[n]).data,
        [args[n + 1]],
      )
      for n in (0, 2)
    )
    size = ir.Constant(ir.IntType(64), x.dtype.bitwidth // 8)
    cgutils.raw_memcpy(builder, to, source, args[4], size)
    return context.get_dummy_value()

  i = types.intp
  return types.void(x, i, y, i, i), generate


@compiled.kernel
def fill(values, number):
  """Writes the number everywhere.

  A function of its own: where functions are inlined, Numba drops `a[:] = 0` if
  nothing reads `a` afterwards, even if it is a view of memory that others read.
  """
  values[:] = number


@compiled.kernel
def add(values, to):
  """to += values."""
  for i in range(len(to)):
    to[i] += values[i]


@compiled.kernel
def words(address, count):
  """Returns `count` words of 8 bytes at an address."""
  return carray(pointer(address), count, np.int64)
