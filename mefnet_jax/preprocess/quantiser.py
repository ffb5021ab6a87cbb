"""Reads from the decoder (FFmpeg) how coarsely a frame was coded."""

import os
import struct
import typing

import numpy as np

from mefnet_jax.preprocess import containers

if typing.TYPE_CHECKING:
  import av

# The head of AVVideoEncParams: blocks, their offset and size, type, qp.
_HEAD = struct.Struct('@IQQii')
_H264 = 1  # the type; the scales of others differ
# Bytes in which a file's first frame begins: a table of all frames may come
# before it.
_START = 1 << 24
_DELTA = 4  # of a block: x, y, width, height, and how its qp differs


def export(stream: 'av.VideoStream') -> None:
  """Makes a stream's decoder export quantisers; call it before decoding."""
  stream.codec_context.options = {
    **stream.codec_context.options,
    'export_side_data': 'venc_params',
  }


def of_frame(frame: 'av.VideoFrame') -> float | None:
  """The mean quantiser of the blocks of a frame of H.264; None of others.

  From 0 (exact) to 51 (coarsest).
  """
  data = containers.side_data(frame).get('VIDEO_ENC_PARAMS')
  if data is None or len(data := bytes(data)) < _HEAD.size:
    return None
  blocks, start, size, kind, base = _HEAD.unpack_from(data)
  if kind != _H264 or size % 4 or start + blocks * size > len(data):
    return None
  own = np.frombuffer(data, np.int32, blocks * size // 4, start)
  differs = own.reshape(blocks, -1)[:, _DELTA]
  return float(base + differs.mean()) if blocks else None


def has_tree(path: str | os.PathLike) -> bool:
  """Whether x264 coded a file with its macroblock tree, by the options in it.

  The tree spends bits on parts that later frames repeat, so that the mean
  quantiser is higher where the picture stays the same. x264 writes its options,
  as text, into the first frame.
  """
  if not os.path.isfile(path):
    return False
  with open(path, 'rb') as file:
    start = file.read(_START)
  return b'x264 - core' in start and b' mbtree=1 ' in start
