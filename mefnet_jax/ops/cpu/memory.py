"""Reads memory at an address, and calls the C function at an address."""

import numpy as np
from llvmlite import ir
from numba import carray, types
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


@compiled.kernel
def fill(values, number):
  """Writes the number everywhere.

  A function of its own: where functions are inlined, Numba drops `a[:] = 0` if
  nothing reads `a` afterwards, even if it is a view of memory that others read.
  """
  values[:] = number


@compiled.kernel
def words(address, count):
  """Returns `count` words of 8 bytes at an address."""
  return carray(pointer(address), count, np.int64)
