"""Reads the size of an image from its first bytes, before it is decoded.

A damaged or hostile header may promise 40,000 x 40,000 pixels: a decoder would
allocate gigabytes before it finds that they are not there.
"""

import re
import struct

MOST_PIXELS = 2**26  # 8192 x 8192
MOST_BYTES = 2**28
_GAP = rb'(?:\s+|#[^\n]*\n)+'
_PNM = re.compile(rb'P[1-6]' + _GAP + rb'(\d+)' + _GAP + rb'(\d+)')
# Of the binary ones; decoders scale the textual ones themselves.
_WHITE = re.compile(rb'P[56]' + 3 * (_GAP + rb'(\d+)') + rb'\s')
_PNG, _TIFF = b'\x89PNG\r\n\x1a\n', (b'II*\0', b'MM\0*')
_KIND, _MOST_PAGES = 254, 10_000
_WIDTH, _HEIGHT, _PHOTOMETRIC = 256, 257, 262  # tags of TIFF
_NO_FRAME = {0xC4, 0xC8, 0xCC}  # JPEG markers among the frame headers' numbers


def check(data: bytes) -> None:
  """Raises ValueError unless `data` begins like an image of a bearable size.

  Known are BMP, PNG, JPEG, TIFF and PNM, the formats of the releases.
  """
  try:
    width, height = _size(data)
  except (struct.error, IndexError, TypeError):
    raise ValueError('not an image') from None
  if not (0 < width and 0 < height and width * height <= MOST_PIXELS):
    raise ValueError(f'an image of {width} x {height} pixels')


def pictures(data: bytes) -> int:
  """Returns how many pictures a TIFF or PNG holds; thumbnails do not count.

  Decoders would show the first one, and nothing of the others.
  """
  try:
    if data[:4] in _TIFF:
      return max(1, sum(not kind & 1 for kind in _pages(data)))
    return _animation(data) if data[:8] == _PNG else 1
  except struct.error:
    return 1  # damaged: decoders have the last word


def white(data: bytes) -> int | None:
  """Returns the largest possible value of a PGM or PPM; None for others."""
  found = _WHITE.match(data[:400])
  return int(found[3]) if found and 0 < int(found[3]) < 2**16 else None


def may_be_deep(head: bytes) -> bool:
  """Whether a PNG has 16 bits a value; True for a TIFF, which may have.

  Args:
    head: the first bytes of a file.
  """
  if head[:8] == _PNG:
    return head[24:25] == b'\x10'
  return head[:4] in _TIFF


def zero_is_white(data: bytes) -> bool:
  """Whether the values of a TIFF grow with darkness."""
  return data[:4] in _TIFF and _tags(data).get(_PHOTOMETRIC) == 0


def _size(data):
  """(width, height); None, or an error of reading, where it is no image."""
  if data[:2] == b'BM':
    # A negative height means that the first row is the top one.
    width, height = struct.unpack_from('<ii', data, 18)
    return width, abs(height)
  if data[:8] == _PNG:
    return struct.unpack_from('>II', data, 16)
  if data[:2] == b'\xff\xd8':
    return _jpeg(data)
  if data[:4] in _TIFF:
    tags = _tags(data)
    return tags.get(_WIDTH), tags.get(_HEIGHT)
  found = _PNM.match(data[:200])
  return found and (int(found[1]), int(found[2]))


def _jpeg(data):
  """(width, height) in the first frame header, behind other segments."""
  at = 2
  while data[at] == 0xFF:
    marker = data[at + 1]
    if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
      height, width = struct.unpack_from('>HH', data, at + 5)
      return width, height
    if marker == 0xFF:  # fill
      at += 1
    else:
      at += 2 + max(2, struct.unpack_from('>H', data, at + 2)[0])
  return None


def _pages(data):
  """Yields the kinds of a TIFF's pictures: bit 0 marks a smaller copy."""
  order, seen = '<' if data[:2] == b'II' else '>', set()
  (start,) = struct.unpack_from(f'{order}I', data, 4)
  while start and start not in seen and len(seen) < _MOST_PAGES:
    seen.add(start)
    (count,) = struct.unpack_from(f'{order}H', data, start)
    kind = 0
    for at in range(start + 2, start + 2 + 12 * count, 12):
      (tag,) = struct.unpack_from(f'{order}H', data, at)
      if tag == _KIND:
        (kind,) = struct.unpack_from(f'{order}I', data, at + 8)
    yield kind
    (start,) = struct.unpack_from(f'{order}I', data, start + 2 + 12 * count)


def _animation(data):
  """The number of pictures of a PNG, which stands before the first of them."""
  at = len(_PNG)
  while at + 12 <= len(data):
    length, kind = struct.unpack_from('>I4s', data, at)
    if kind == b'IDAT':
      break
    if kind == b'acTL':
      return struct.unpack_from('>I', data, at + 8)[0]
    at += 12 + length
  return 1


def _tags(data):
  """Numbers of the first directory of a TIFF."""
  order = '<' if data[:2] == b'II' else '>'
  (start,) = struct.unpack_from(f'{order}I', data, 4)
  (count,) = struct.unpack_from(f'{order}H', data, start)
  found = {}
  for i in range(count):
    at = start + 2 + 12 * i
    tag, kind = struct.unpack_from(f'{order}HH', data, at)
    if tag in (_WIDTH, _HEIGHT, _PHOTOMETRIC):
      form = 'H' if kind == 3 else 'I'
      (value,) = struct.unpack_from(order + form, data, at + 8)
      found.setdefault(tag, value)  # as decoders do: the first counts
  return found
