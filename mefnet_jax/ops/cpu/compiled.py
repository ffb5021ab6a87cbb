"""How the kernels are compiled: alike, and kept where a folder is given.

`kept.py` names the folder before this module is imported. It is of these files
alone: Numba looks at a function's own file only, and a kernel is compiled into
others.
"""

import numba
from numba import types

_KEPT = bool(numba.config.CACHE_DIR)

kernel = numba.njit(nogil=True, cache=_KEPT, error_model='numpy')
# A kernel that XLA calls with the address of a frame, see `frames`.
handler = numba.cfunc(types.int64(types.voidptr), cache=_KEPT)
