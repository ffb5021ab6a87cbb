"""Pictures that promise more than they hold, or hold what is no picture."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from mefnet_jax.preprocess import headers, images


def chunk(kind, data):
  code = struct.pack('>I', zlib.crc32(kind + data))
  return struct.pack('>I', len(data)) + kind + data + code


def png(width, height, *more):
  """A grey PNG of 2 x 2 pixels whose header states another size."""
  head = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
  pixels = chunk(b'IDAT', zlib.compress(b'\0\x05\x05' * 2))
  parts = (chunk(b'IHDR', head), *more, pixels, chunk(b'IEND', b''))
  return b'\x89PNG\r\n\x1a\n' + b''.join(parts)


def tiff_that_turns_round():
  """Its only directory names itself as the next one, and each tag as itself."""
  tags = ((256, 4, 8), (257, 4, 8), (262, 3, 1))
  rows = [struct.pack('<HHII', tag, kind, 1, x) for tag, kind, x in tags]
  begin = b'II*\0' + struct.pack('<IH', 8, len(rows))
  return begin + b''.join(rows) + struct.pack('<I', 8)


NONE = {
  'a size of 3.6 gigapixels': png(60_000, 60_000),
  'SVG': b'<svg><image href="file:///etc/passwd"/></svg>',
  'GIF': b'GIF89a' + struct.pack('<HH', 60_000, 60_000) + bytes(50),
  'Photoshop': b'8BPS\0\1' + bytes(6) + struct.pack('>HII', 3, 30_000, 30_000),
  'Radiance': b'#?RADIANCE\n\n-Y 60000 +X 60000\n',
  'PFM': b'PF\n60000 60000\n-1\n',
  'PAM': b'P7\nWIDTH 60000\nHEIGHT 60000\nDEPTH 3\nMAXVAL 255\nENDHDR\n',
  'a TIFF that turns round': tiff_that_turns_round(),
}


@pytest.mark.parametrize('data', NONE.values(), ids=NONE)
def test_what_is_no_picture_of_a_release_is_refused(tmp_path, data):
  path = tmp_path / 'frame1.png'
  path.write_bytes(data)
  with pytest.raises(ValueError, match='not an image|pixels'):
    images.read(path)


def test_a_profile_of_200_megabytes_is_not_unpacked(tmp_path):
  path = tmp_path / 'frame1.png'
  profile = chunk(b'iCCP', b'x\0\0' + zlib.compress(bytes(200_000_000), 1))
  path.write_bytes(png(2, 2, profile))
  np.testing.assert_array_equal(images.read(path), np.full((2, 2), 5))


def test_a_file_of_several_pictures_is_none(tmp_path):
  """A stack of frames: the first alone would be a clip without motion."""
  page = np.arange(48, dtype=np.uint8).reshape(6, 8)
  cv2.imwritemulti(str(tmp_path / 'stack.tif'), [page] * 12)
  control = chunk(b'acTL', struct.pack('>II', 9, 0))
  (tmp_path / 'moving.png').write_bytes(png(2, 2, control))
  cv2.imwritemulti(str(tmp_path / 'long.tif'), [page] * 10_001)
  named = (('stack.tif', 12), ('moving.png', 9), ('long.tif', 10_000))
  for name, count in named:
    with pytest.raises(ValueError, match=f'{count} pictures in one file'):
      images.read(tmp_path / name)
  cv2.imwrite(str(tmp_path / 'one.tif'), page)
  (tmp_path / 'still.png').write_bytes(png(2, 2))
  np.testing.assert_array_equal(images.read(tmp_path / 'one.tif'), page)
  assert images.read(tmp_path / 'still.png').shape == (2, 2)


def test_a_thumbnail_is_no_second_picture(tmp_path):
  """Cameras put a smaller copy behind the picture."""
  page = np.arange(48, dtype=np.uint8).reshape(6, 8)
  path = tmp_path / 'camera.tif'
  cv2.imwritemulti(str(path), [page, page[:3]])
  data = path.read_bytes()
  kinds = [*headers._pages(data)]
  assert len(kinds) == 2
  tag = struct.pack('<HHI', 254, 4, 1)
  at = data.rfind(tag)
  path.write_bytes(data[: at + 8] + struct.pack('<I', 1) + data[at + 12 :])
  np.testing.assert_array_equal(images.read(path), page)
