"""What XLA hands a kernel is refused before it is read, if it does not fit."""

import ctypes
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mefnet_jax.ops import choice
from tests.fixtures.kernels import adam, call_frame, custom_calls, signatures


@pytest.fixture(autouse=True, scope='module')
def ready():
  assert not choice.obstacle()


def handshake(version):
  """What a kernel answers when it is asked which version it speaks.

  All else that the frame points to lies at address 1, where nothing is; version
  None: XLA does not even say where its functions are.
  """
  api = np.full(25, 1, np.int64)
  if version is not None:
    api[4] = version[0] | version[1] << 32
  metadata = np.full(6, 7, np.int64)
  extension = np.array([32, 1, 0, metadata.ctypes.data], np.int64)
  frame = np.full(22, 1, np.int64)
  frame[1] = extension.ctypes.data
  frame[2] = 0 if version is None else api.ctypes.data
  handler = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(
    adam.HANDLERS['adam'].address
  )
  assert handler(frame.ctypes.data) == 0
  return metadata[3] & 0xFFFFFFFF, metadata[3] >> 32


def test_each_version_that_the_frame_was_laid_out_for_is_spoken():
  assert call_frame.VERSIONS
  for version in call_frame.VERSIONS:
    assert handshake(version) == version


@pytest.mark.parametrize('version', [(0, 2), (0, 4), (0, 6), (1, 3), (3, 0)])
def test_any_other_version_is_refused_unread(version):
  assert handshake(version) == (0xFFFFFFFF, -1)


def test_an_xla_that_hands_over_no_functions_is_left_alone():
  # So do jaxlib 0.6.2 and 0.7.2, which then refuse the answer that they wrote.
  assert handshake(None) == (7, 0)


def test_this_xla_speaks_a_known_version():
  header = pathlib.Path(jax.ffi.include_dir(), 'xla/ffi/api/c_api.h')
  words = header.read_text().split()
  major = int(words[words.index('XLA_FFI_API_MAJOR') + 1])
  minor = int(words[words.index('XLA_FFI_API_MINOR') + 1])
  assert (major, minor) in call_frame.VERSIONS


def test_signatures_are_read_as_they_are_written():
  made = signatures.signature('w fbTd -> ib(T-i/1)d* f8 f*')
  assert made.tolist() == [
    *(2, 3),
    *(3, 1, -1, -1, 3),
    *(0, 3, 0, -1, -1, 1, -1, -1, 2, -1, -1),
    *(1, 3, 0, -1, -1, 1, 3, 1, 2, -1, 3),
    *(0, 1, -1, -1, 8),
    *(0, -1),
  ]


F32, S32, U8 = np.float32, np.int32, np.uint8
# Of each kernel: operands and results that fit, as (shape, type).
WINDOW = ((3,), S32)
CELLS = (2, 2, 2, 2, 5)
MAP = (2, 4, 4, 4)
# What a ReLU leaves, and what its gradient takes.
# A kernel and a bias in space, and a kernel in time.
FACTORS = [((1, 3, 3, 3, 4), F32), ((4,), F32), ((3, 1, 1, 4, 16), F32)]
RECTIFIED = [
  ((*MAP, 16), F32),
  ((*MAP, 2), U8),
  ((2, 16), F32),
  ((2, 16), F32),
  ((2, 16), S32),
  (MAP, F32),
  (MAP, F32),
  (MAP, S32),
]
BACK = [
  ((*MAP, 2), U8),
  ((2, 16), S32),
  (MAP, S32),
  ((*MAP, 16), F32),
  ((2, 16), F32),
  ((2, 16), F32),
  (MAP, F32),
  (MAP, F32),
]
CALLS = {
  'convolve_few': [
    ((2, 4, 4, 4, 1), F32),
    ((1, 3, 3, 1, 2), F32),
    ((2, 4, 4, 4, 2), F32),
  ],
  'convolve_few_gradient': [
    ((2, 4, 4, 4, 1), F32),
    ((1, 3, 3, 1, 2), F32),
    ((2, 4, 4, 4, 2), F32),
    ((2, 4, 4, 4, 1), F32),
    ((1, 3, 3, 1, 2), F32),
  ],
  'convolve_pool': [
    WINDOW,
    ((2, 6, 6, 6, 3), F32),
    ((3, 3, 3, 3, 5), F32),
    ((2,), F32),
    (CELLS, F32),
    (CELLS, S32),
  ],
  'convolve_pool_gradient': [
    WINDOW,
    ((2, 6, 6, 6, 3), F32),
    (CELLS, S32),
    (CELLS, F32),
    ((3, 3, 3, 3, 5), F32),
  ],
  'convolve_pool_clip_gradient': [
    WINDOW,
    ((3, 3, 3, 3, 5), F32),
    (CELLS, S32),
    (CELLS, F32),
    ((2, 6, 6, 6, 3), F32),
  ],
  'convolve': [
    ((2, 6, 6, 6, 3), F32),
    ((3, 3, 3, 3, 16), F32),
    ((16,), F32),
    ((1,), F32),
    ((2,), F32),
    ((*MAP, 16), F32),
  ],
  'convolve_kernel_gradient': [
    ((2, 6, 6, 6, 3), F32),
    ((*MAP, 16), F32),
    ((*MAP, 16), F32),
    ((1,), F32),
    ((3, 3, 3, 3, 16), F32),
    ((16,), F32),
  ],
  'convolve_clip_gradient': [
    ((*MAP, 16), F32),
    ((*MAP, 16), F32),
    ((3, 3, 3, 3, 16), F32),
    ((1,), F32),
    ((2, 6, 6, 6, 3), F32),
  ],
  'convolve_relu': [
    ((2, 6, 6, 6, 3), F32),
    *FACTORS,
    ((16,), F32),
    ((2,), F32),
    *RECTIFIED,
  ],
  'convolve_relu_gradient': [
    ((2, 6, 6, 6, 3), F32),
    *FACTORS,
    *BACK,
    *FACTORS,
    ((16,), F32),
  ],
  'relu': [
    ((*MAP, 16), F32),
    *RECTIFIED,
  ],
  'relu_gradient': [
    *BACK,
    ((*MAP, 16), F32),
  ],
  'pool_weighed': [
    WINDOW,
    ((*MAP, 5), F32),
    (MAP, F32),
    (CELLS, F32),
    (CELLS, S32),
    (CELLS, F32),
    (CELLS, S32),
    (CELLS, F32),
  ],
  'pool_weighed_gradient': [
    WINDOW,
    (MAP, F32),
    (CELLS, F32),
    (CELLS, S32),
    (CELLS, F32),
    (CELLS, S32),
    (CELLS, F32),
    ((*MAP, 5), F32),
    (MAP, F32),
  ],
  'adam': [((8,), F32), *[((6, 5), F32)] * 4, *[((6, 5), F32)] * 3],
}
RESULTS = {
  'adam': 3,
  'convolve': 1,
  'convolve_kernel_gradient': 2,
  'convolve_clip_gradient': 1,
  'convolve_few': 1,
  'convolve_few_gradient': 2,
  'convolve_pool': 2,
  'convolve_pool_gradient': 1,
  'convolve_pool_clip_gradient': 1,
  'convolve_relu': 8,
  'convolve_relu_gradient': 4,
  'relu': 8,
  'relu_gradient': 1,
  'pool_weighed': 5,
  'pool_weighed_gradient': 2,
}


def run(name, arrays):
  """Calls a kernel with ones of these shapes and types; windows are of twos."""
  count = len(arrays) - RESULTS[name]
  operands = [
    np.full(shape, 2, dtype) if (shape, dtype) == WINDOW else np.ones(*array)
    for array in arrays[:count]
    for shape, dtype in [array]
  ]
  made = jax.jit(lambda *x: custom_calls.call(name, arrays[count:], *x))
  return jax.block_until_ready(made(*map(jnp.asarray, operands)))


def spoilt(arrays, every):
  """What is wrong, the array's number, and all arrays with it spoilt.

  In every way, or each array in one of the ways in turn.
  """
  other = {F32: S32, S32: F32, U8: F32}
  for i, (shape, dtype) in enumerate(arrays):
    ways = (
      ('dtype', (shape, other[dtype])),
      ('rank', ((*shape, 1), dtype)),
      ('shape', ((*shape[:-1], shape[-1] + 2), dtype)),
    )
    for what, array in ways if every else (ways[i % 3],):
      yield what, i, [*arrays[:i], array, *arrays[i + 1 :]]


# Of 'convolve': SAME would leave 6 rows; of 'convolve_relu': the kernel after
# one in space is in time alone, and reads the channels that it leaves.
MISFITS = [
  ('convolve', -1, ((2, 4, 4, 6, 16), F32)),
  ('convolve', 0, ((2, 6, 6, 9, 3), F32)),
  ('convolve_kernel_gradient', 0, ((2, 4, 6, 6, 3), F32)),
  ('convolve_clip_gradient', -1, ((2, 6, 6, 5, 3), F32)),
  ('convolve_relu', 3, ((3, 3, 1, 4, 16), F32)),
  ('convolve_relu', 3, ((3, 1, 1, 3, 16), F32)),
  ('convolve_relu', 0, ((2, 6, 7, 6, 3), F32)),
]


@pytest.mark.parametrize(('name', 'number', 'array'), MISFITS)
def test_sizes_of_no_convolution_are_an_error(name, number, array):
  arrays = list(CALLS[name])
  arrays[number] = array
  with pytest.raises(Exception, match=r'array .*a shape that does not fit'):
    run(name, arrays)


@pytest.mark.parametrize(
  'every', [False, pytest.param(True, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize('name', CALLS)
def test_arrays_that_do_not_fit_are_an_error(name, every):
  run(name, CALLS[name])
  for what, i, arrays in spoilt(CALLS[name], every):
    with pytest.raises(Exception, match='array .*(dtype|rank|shape)') as told:
      run(name, arrays)
    if what == 'dtype':
      assert f'array {i:2d}: another dtype' in str(told.value)


def test_an_array_of_any_shape_is_that_of_the_result_in_front_too():
  """Adam copies such operands whole, so a part for all would not do."""
  of_members = [((2, *shape), dtype) for shape, dtype in CALLS['adam']]
  run('adam', of_members)
  for i in range(1, 5):
    arrays = list(of_members)
    arrays[i] = ((1, 6, 5), F32)
    with pytest.raises(Exception, match=f'array  {i}: a shape'):
      run('adam', arrays)


def test_each_message_ends_with_a_zero():
  assert (call_frame._TEXTS[:, -1] == 0).all()


def test_another_number_of_arrays_and_an_empty_window_are_an_error():
  for _ in range(20):  # the text must end where it ends, whatever follows it
    with pytest.raises(Exception, match='another number of arrays') as raised:
      run('adam', [((8,), F32), *CALLS['adam']])
    assert str(raised.value).endswith('arrays than the kernel takes')
  window, *others = CALLS['pool_weighed'][:3]
  operands = [np.zeros(3, S32), *(np.ones(*one) for one in others)]
  with pytest.raises(Exception, match='a window below 1'):
    jax.block_until_ready(
      custom_calls.call('pool_weighed', CALLS['pool_weighed'][3:], *operands)
    )


def test_axes_in_front_must_be_those_of_the_result():
  x, w, y = np.ones((3, 5, 3, 4, 4, 2), F32), (1, 3, 4, 4, 2, 16), (3, 5)
  y = [((*y, 1, 1, 1, 16), F32)]
  others = (np.zeros((1, 16), F32), np.zeros((1, 1), F32))
  others += (np.ones((1, 5), F32),)
  (made,) = custom_calls.call('convolve', y, x, np.ones(w, F32), *others)
  assert (made == 3 * 4 * 4 * 2).all()
  for wrong in ((2, *w[1:]), w[1:], (1, *w)):
    with pytest.raises(Exception, match='array  1: (a shape|another rank)'):
      custom_calls.call('convolve', y, x, np.ones(wrong, F32), *others)[
        0
      ].block_until_ready()
