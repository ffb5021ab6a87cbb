"""The arrays of a call that `call_frame` has checked, by parts and clips.

Each array may have further axes in front: `jax.vmap` adds one, of size 1 or of
its own size. `part` gives the part of an array that belongs to a part of a
result.
"""

from typing import NamedTuple

import numpy as np
from numba import carray

from mefnet_jax.ops.cpu import call_frame, compiled, memory


class Array(NamedTuple):
  """An array: its numbers in a row, its shape, the number of axes in front.

  And how many numbers one of its parts has.
  """

  values: np.ndarray
  shape: np.ndarray
  front: int
  numbers: int


@compiled.kernel
def _array(frame, number, sizes, dtype):
  compiled.for_size()
  buffer = call_frame.buffer_of(frame, number)
  numbers = sizes[call_frame.PARTS + number]
  shape, front = call_frame.shape_of(buffer), sizes[call_frame.FRONT]
  whole = numbers * _parts(shape, front)
  values = carray(memory.pointer(buffer[call_frame.DATA]), whole, dtype)
  return Array(values, shape, front, numbers)


@compiled.inlined
def floats(frame, number, sizes):
  """A float32 array."""
  return _array(frame, np.int64(number), sizes, np.float32)


@compiled.inlined
def integers(frame, number, sizes):
  """An int32 array."""
  return _array(frame, np.int64(number), sizes, np.int32)


@compiled.inlined
def octets(frame, number, sizes):
  """A uint8 array."""
  return _array(frame, np.int64(number), sizes, np.uint8)


@compiled.kernel
def window(sizes):
  """Frames, rows and columns of the window that the call was given."""
  return (
    sizes[call_frame.WINDOW],
    sizes[call_frame.WINDOW + 1],
    sizes[call_frame.WINDOW + 2],
  )


@compiled.kernel
def _parts(shape, front):
  """The number of parts of an array."""
  total = 1
  for axis in range(front):
    total *= shape[axis]
    if total == 0:  # so that LLVM makes no vectors of so short a loop
      break
  return total


@compiled.inlined
def parts(result):
  """The number of parts of a result: of its axes in front."""
  return _parts(result.shape, result.front)


@compiled.kernel
def _place(shape, front, number, whole):
  """Which part of an array goes with part `number` of a result.

  shape: of the array, with `front` axes before a part; whole: of the result.
  """
  compiled.for_size()
  at, step = 0, 1
  for axis in range(front - 1, -1, -1):
    size = whole[axis]
    index = number % size
    number //= size
    if shape[axis] > 1:
      at += index * step
    step *= shape[axis]
  return at


@compiled.inlined
def place(operand, number, result):
  """Which part of an operand goes with part `number` of a result."""
  return _place(operand.shape, operand.front, number, result.shape)


@compiled.kernel
def part(operand, number, result):
  """The part of an operand, or of the result, with this number."""
  at = _place(operand.shape, operand.front, number, result.shape)
  return memory.span(operand.values, at * operand.numbers, operand.numbers)


@compiled.kernel
def clip(operand, number, result, b):
  """Clip b of a `part`; clips are the first axis after those in front."""
  at = _place(operand.shape, operand.front, number, result.shape)
  size = operand.numbers // operand.shape[operand.front]
  begin = at * operand.numbers + b * size
  return memory.span(operand.values, begin, size)
