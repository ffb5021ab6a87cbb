"""How coarsely a codec has coded a frame, as its decoder tells (FFmpeg)."""

import os
import struct
import typing

import numpy as np

from mefnet_jax.preprocess import containers

if typing.TYPE_CHECKING:
  import av

# The head of AVVideoEncParams: blocks, offset and size of theirs, type, qp.
_HEAD = struct.Struct('@IQQii')
_H264 = 1  # the type; the scales of others differ
# Bytes in which a file's first frame begins: a table of all frames may come
# before it.
_START = 1 << 24
_DELTA = 4  # of a block: x, y, width, height, and how its qp differs


def export(stream: 'av.VideoStream') -> None:
  """Has the decoder of a stream tell its quantisers; before any is decoded."""
  stream.codec_context.options = {
    **stream.codec_context.options,
    'export_side_data': 'venc_params',
  }


def of_frame(frame: 'av.VideoFrame') -> float | None:
  """The mean quantiser of the blocks of a frame of H.264; None of others.

  From 0 (exact) to 51 (coarsest).
  """
  told = containers.side_data(frame).get('VIDEO_ENC_PARAMS')
  if told is None or len(told := bytes(told)) < _HEAD.size:
    return None
  blocks, start, size, kind, base = _HEAD.unpack_from(told)
  if kind != _H264 or size % 4 or start + blocks * size > len(told):
    return None
  own = np.frombuffer(told, np.int32, blocks * size // 4, start)
  differs = own.reshape(blocks, -1)[:, _DELTA]
  return float(base + differs.mean()) if blocks else None


def has_tree(path: str | os.PathLike) -> bool:
  """Whether a file says that x264 coded it with its macroblock tree.

  The tree spends bits on what later frames show again, so that the mean
  quantiser is higher where the picture is the same. x264 writes its options,
  as text, into the first frame.
  """
  if not os.path.isfile(path):
    return False
  with open(path, 'rb') as file:
    start = file.read(_START)
  return b'x264 - core' in start and b' mbtree=1 ' in start
