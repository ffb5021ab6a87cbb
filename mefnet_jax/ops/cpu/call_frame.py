"""Reads the call frames in which XLA passes arrays, and checks them first.

XLA's foreign function interface calls a handler with the address of a frame
(`xla/ffi/api/c_api.h`, XLA_FFI_CallFrame), a structure with fixed places. The
places below hold for `VERSIONS` of the interface. If XLA has any other version
a handler returns none of its own, and XLA does not register it.

Each array may have further axes in front: `jax.vmap` adds one, of size 1 or of
its own size. `arrays` reads the arrays of a call that was checked.
"""

import numpy as np
from numba import carray

from mefnet_jax.ops.cpu import compiled, memory, signatures, simd

# Major and minor number. The header was read in jaxlib 0.10.2 and 0.11.0 (0.3)
# and in 0.12.0.1 (0.5).
VERSIONS = ((0, 3), (0, 5))
WORK = -1  # returned by `check_call` if the kernel is to compute
# Places in the frame, in words of 8 bytes: operands and results. The number of
# each stands two words before it; the whole frame has 21 words.
IN, OUT = 9, 14
_EXTENSION, _API, _STAGE = 1, 2, 4
_EXECUTE = 3
# In the extension that asks for the version; in XLA's own description.
_METADATA, _VERSION, _API_VERSION, _CREATE_ERROR = 3, 3, 4, 6
# In an array's description.
_DTYPE, DATA, _RANK, _DIMS = 2, 3, 4, 5

# Major and minor number are two 32-bit integers in one word.
_KNOWN = np.array([(b << 32) | a for a, b in VERSIONS])
# After the letters' sizes: the number of axes in front, the window, and of each
# array how many numbers a part has.
FRONT, WINDOW = signatures.LETTERS, signatures.LETTERS + 1
PARTS = WINDOW + 3
_MOST = 32  # arrays of a call
_DTYPES = np.array([11, 4, 6, 4])  # XLA's float32, int32, uint8, int32
_NUMBER, _TYPE, _AXES, _SHAPE, _BAD_WINDOW = range(1, 6)
_FAULTS = (
  'another number of arrays than the kernel takes',
  'another dtype than the kernel takes',
  'another rank than the kernel takes',
  'a shape that does not fit',
  'a window below 1',
)
_INVALID_ARGUMENT = 3


@compiled.kernel
def buffer_of(frame, number):
  """The description of an array; results are numbered after the operands."""
  side = IN
  if number >= frame[IN - 2]:
    side, number = OUT, number - frame[IN - 2]
  return memory.words(memory.words(frame[side], number + 1)[number], 6)


@compiled.kernel
def shape_of(buffer):
  return memory.words(buffer[_DIMS], buffer[_RANK])


@compiled.kernel
def check_call(frame, arrays):
  """Compares a call with the kernel's signature, before any array is read.

  Args:
    frame: its words.
    arrays: of `signatures.signature`.

  Returns:
    (WORK, sizes) if the kernel is to compute, with the size of each letter of
    the signature in the order of first mention; otherwise (what the handler
    must return to XLA, no sizes).
  """
  compiled.for_size()
  sizes = np.full(PARTS + _MOST, -1, np.int64)
  # Version 0.1 (jaxlib 0.7.2) passes no address of its functions, and does not
  # register a handler that states no version.
  if frame[_API] == 0:
    return 0, sizes
  version = memory.words(frame[_API], 5)[_API_VERSION]
  known = False
  for one in _KNOWN:
    known |= version == one
  if frame[_EXTENSION] != 0:  # XLA is registering, and asks for our version
    metadata = memory.words(memory.words(frame[_EXTENSION], 4)[_METADATA], 4)
    metadata[_VERSION] = version if known else -1
    return 0, sizes
  # XLA calls no handler whose version it has not registered, and where it did,
  # an error could not be made without knowing the places in its frame.
  if not known or frame[_STAGE] & 0xFFFFFFFF != _EXECUTE:
    return 0, sizes
  fault = _bind(frame, arrays, sizes)
  if fault == 0:
    fault = _compare(frame, arrays, sizes)
  if fault != 0:
    return _refusal(frame, fault), sizes
  return WORK, sizes


@compiled.kernel
def _bind(frame, arrays, sizes):
  """Checks types and ranks, and reads sizes; the fault, or 0."""
  compiled.for_size()
  count = arrays[0] + arrays[1]
  if frame[IN - 2] != arrays[0] or frame[OUT - 2] != arrays[1]:
    return _NUMBER
  at = 2
  for n in range(count):
    kind, rank = arrays[at], arrays[at + 1]
    at += 2
    buffer = buffer_of(frame, n)
    if buffer[_DTYPE] & 0xFFFFFFFF != _DTYPES[kind]:
      return 8 * n + _TYPE
    front = buffer[_RANK] - rank
    if n == 0:
      sizes[FRONT] = front
    if rank < 0:
      front = min(buffer[_RANK], sizes[FRONT])
    if front < 0 or front != sizes[FRONT]:
      return 8 * n + _AXES
    shape, numbers = shape_of(buffer), 1
    for axis in range(front, buffer[_RANK]):
      numbers *= shape[axis]
      if rank >= 0:
        if arrays[at] >= 0 and arrays[at + 1] < 0 and arrays[at + 2] < 0:
          if sizes[arrays[at]] < 0:
            sizes[arrays[at]] = shape[axis]
        at += 3
    sizes[PARTS + n] = numbers
    if kind == 3:
      if numbers != 3:
        return 8 * n + _SHAPE
      window = carray(memory.pointer(buffer[DATA]), 3, np.int32)
      for i in range(3):
        sizes[WINDOW + i] = window[i]
        if window[i] < 1:
          return 8 * n + _BAD_WINDOW
  return 0


@compiled.kernel
def _compare(frame, arrays, sizes):
  """Checks all sizes, also those of the axes in front; the fault, or 0."""
  compiled.for_size()
  front = sizes[FRONT]
  result = shape_of(buffer_of(frame, arrays[0]))
  at = 2
  for n in range(arrays[0] + arrays[1]):
    rank = arrays[at + 1]
    at += 2
    shape = shape_of(buffer_of(frame, n))
    for axis in range(front):
      alone = shape[axis] == 1 and n < arrays[0]
      if shape[axis] != result[axis] and not alone:
        return 8 * n + _SHAPE
    if rank < 0:
      if len(shape) != len(result):
        return 8 * n + _SHAPE
      for axis in range(len(result)):  # those in front, too
        if shape[axis] != result[axis]:
          return 8 * n + _SHAPE
    for axis in range(front, front + rank):
      if shape[axis] != _wanted(arrays[at : at + 3], sizes):
        return 8 * n + _SHAPE
      at += 3
  return 0


@compiled.kernel
def _wanted(size, sizes):
  """The number that a size of the signature stands for."""
  compiled.for_size()
  if size[0] < 0:
    return size[2]
  wanted = sizes[size[0]]
  if size[1] >= 0:
    wanted -= sizes[size[1]] - 1
  if size[2] == 3:
    return (wanted + simd.LANES - 1) // simd.LANES * simd.LANES // 8
  if size[2] >= 0:
    wanted //= sizes[WINDOW + size[2]]
  return wanted


# The message for each fault, as bytes that end with a zero, as C expects them.
_MESSAGES = [f'a kernel of mefnet_jax: array   : {what}' for what in _FAULTS]
_WIDTH = max(map(len, _MESSAGES)) + 1  # the longest ends with a zero too
_TEXTS = np.frombuffer(
  b''.join(message.encode().ljust(_WIDTH, b'\0') for message in _MESSAGES),
  np.uint8,
).reshape(len(_FAULTS), -1)
_DIGITS = 30  # where the array's number stands in them


@compiled.kernel
def _refusal(frame, fault):
  """An error of XLA's that names the array, counted from 0."""
  compiled.for_size()
  number, cause = fault // 8, fault % 8
  text = _TEXTS[cause - 1].copy()
  if number >= 10:
    text[_DIGITS] = 48 + number // 10
  text[_DIGITS + 1] = 48 + number % 10
  given = np.zeros(4, np.int64)  # XLA_FFI_Error_Create_Args, of 28 bytes
  given[0], given[2] = 28, text.ctypes.data
  given[3] = _INVALID_ARGUMENT
  create = memory.words(frame[_API], _CREATE_ERROR + 1)[_CREATE_ERROR]
  error = memory.call_function(create, given.ctypes.data)
  # XLA copies the text. Reading both arrays once more keeps Numba from freeing
  # them before the call.
  return error if text[0] != 0 and given[0] != 0 else np.int64(0)


@compiled.inlined
def misfit(frame, number):
  """What a handler returns if array `number` has a shape that does not fit."""
  return _refusal(frame, np.int64(8 * number + _SHAPE))
