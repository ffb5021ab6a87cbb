"""The decorators that compile kernels, all with the same options.

`kernel_cache` sets Numba's cache folder before this module is imported. Each
version of these files has a folder of its own: Numba compares only the file of
the function itself, although other functions are compiled into it.
"""

import numba
from numba import types
from numba.extending import intrinsic

_CACHED = bool(numba.config.CACHE_DIR)

# What is inlined is compiled by its caller's options, so all have the same.
# error_model: Python's would test each division for 0 and could raise, and a
# loop that could raise is not made of vectors.
_OPTIONS = {'nogil': True, 'error_model': 'numpy'}
kernel = numba.njit(**_OPTIONS, no_cpython_wrapper=True, no_cfunc_wrapper=True)
# For what a caller needs in one place: compiled within it, not also by itself.
inlined = numba.njit(**_OPTIONS, inline='always')
# A function that XLA calls with the address of a frame, see `call_frame`.
handler = numba.cfunc(types.int64(types.voidptr), cache=_CACHED, **_OPTIONS)


@intrinsic
def for_size(context):
  """Has LLVM compile the function that calls this for size.

  For what runs once a call or a clip, and for handlers, whose innermost loops
  are in functions of their own: unrolled, inlined and made of vectors they took
  a quarter of the time in which the kernels are compiled.
  """

  def generate(context, builder, signature, args):
    for attribute in ('minsize', 'optsize', 'noinline'):
      builder.function.attributes.add(attribute)
    return context.get_dummy_value()

  return types.void(), generate
