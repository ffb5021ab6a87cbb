"""Strips, GIFs and videos of maps over faces or over landmark outlines."""

import fractions
import pathlib

import cv2
import numpy as np

from mefnet_jax.explain import face_regions, methods

TILE = 128  # pixels a side of a face in a picture
_COLUMNS = 6  # frames in a strip
_FPS = 6
_MARGIN, _HEAD = 150, 46
_INK, _PAPER, _WARM = (30, 30, 30), 255, (10, 64, 179)
_FOR, _AGAINST = (30, 40, 235), (235, 110, 20)  # blue, green, red


def backgrounds(
  clip_THW1: np.ndarray, face: face_regions.Face, *, show: bool
) -> np.ndarray:
  """Returns (T, TILE, TILE) uint8 faces, or outlines of their landmarks.

  Args:
    clip_THW1: uint8 clip of the face stream.
    face: the landmarks of the clip.
    show: whether the face itself may be shown.
  """
  if not show:
    return np.repeat(face.outline(TILE)[None], len(clip_THW1), 0)
  size = (TILE, TILE)
  return np.stack(
    [
      cv2.resize(f[..., 0], size, interpolation=cv2.INTER_CUBIC)
      for f in clip_THW1
    ]
  )


def overlays(
  streams: dict[str, np.ndarray],
  face: face_regions.Face,
  ground: np.ndarray,
  *,
  signed: bool,
) -> np.ndarray:
  """Draws the maps of one clip over its background.

  Args:
    streams: (T, H, W) maps of each crop.
    face: the positions of the crops.
    ground: result of `backgrounds`.
    signed: whether evidence against the target is blue; otherwise all is red.

  Returns:
    (T, TILE, TILE, 3) uint8 in OpenCV's order blue, green, red.
  """
  maps = sum(face.in_face(m, name, TILE) for name, m in streams.items())
  # Maps of coarse layers have edges that would look like findings.
  maps = np.stack([cv2.GaussianBlur(m, (0, 0), TILE / 64) for m in maps])
  # One bright pixel must not make the rest of the clip invisible.
  strength = np.percentile(np.abs(maps), 99.5)
  heat = np.clip(maps / max(strength, 1e-12), -1, 1)
  if not signed:
    heat = np.abs(heat)
  grey = np.repeat(ground[..., None].astype(np.float32), 3, -1)
  # Below 1, so that weak evidence is visible; never opaque over the face.
  alpha = 0.85 * np.abs(heat)[..., None] ** 0.7
  red, blue = np.float32(_FOR), np.float32(_AGAINST)
  colour = np.where(heat[..., None] > 0, red, blue)
  return np.rint(grey * (1 - alpha) + colour * alpha).astype(np.uint8)


def strip(rows: dict[str, np.ndarray], head: list[str]) -> np.ndarray:
  """Returns one picture (H, W, 3): one row per method, frames as columns.

  Args:
    rows: overlays (T, H, W, 3) by method.
    head: words of the title.
  """
  frames = len(next(iter(rows.values())))
  chosen = np.unique(np.linspace(0, frames - 1, _COLUMNS).round().astype(int))
  lines = []
  for name, overlay in rows.items():
    line = np.concatenate(list(overlay[chosen]), 1)
    lines.append(_labelled(line, name))
  lines.append(_legend(lines[0].shape[1]))
  canvas = _titled(np.concatenate(lines), head)
  for column, frame in enumerate(chosen):
    at = (_MARGIN + column * TILE + 4, _HEAD - 6)
    _write(canvas, f'frame {frame + 1}', at, 0.38)
  return canvas


def animation(rows: dict[str, np.ndarray], head: list[str]) -> np.ndarray:
  """Returns frames (T, H, W, 3) with all methods side by side.

  Args:
    rows: overlays (T, H, W, 3) by method.
    head: words of the title.
  """
  count = len(next(iter(rows.values())))
  columns = min(4, len(rows))
  pages = []
  for t in range(count):
    tiles = [
      _captioned(overlay[t], f'{name}') for name, overlay in rows.items()
    ]
    blank = np.full_like(tiles[0], _PAPER)
    tiles += [blank] * (-len(tiles) % columns)
    lines = [
      np.concatenate(tiles[i : i + columns], 1)
      for i in range(0, len(tiles), columns)
    ]
    frame = _titled(np.concatenate(lines), [*head, f'frame {t + 1}/{count}'])
    pages.append(_even(frame))
  return np.stack(pages)


def save_png(path: pathlib.Path, picture: np.ndarray) -> None:
  """Writes a picture (H, W, 3) in OpenCV's channel order."""
  _, data = cv2.imencode('.png', picture)
  path.write_bytes(data.tobytes())


def save_gif(path: pathlib.Path, frames: np.ndarray) -> None:
  """Writes frames (T, H, W, 3) as an endlessly looping GIF."""
  from PIL import Image

  pages = [Image.fromarray(f[..., ::-1]).quantize(64) for f in frames]
  pages[0].save(
    path,
    save_all=True,
    append_images=pages[1:],
    duration=1000 // _FPS,
    loop=0,
  )


def save_mp4(path: pathlib.Path, frames: np.ndarray) -> bool:
  """Writes frames (T, H, W, 3) as an H.264 video.

  Returns:
    False if PyAV is not installed and nothing was written.
  """
  try:
    import av
  except ImportError:
    return False
  with av.open(str(path), 'w') as file:
    stream = file.add_stream('libx264', rate=fractions.Fraction(_FPS))
    stream.height, stream.width = frames.shape[1:3]
    stream.pix_fmt = 'yuv420p'  # the only form that all players know
    # The last frame twice: players do not show the last one.
    for frame in [*frames, frames[-1]]:
      image = av.VideoFrame.from_ndarray(
        np.ascontiguousarray(frame), format='bgr24'
      )
      file.mux(stream.encode(image))
    file.mux(stream.encode())
  return True


def overlays_by_method(
  maps: dict[str, dict[str, np.ndarray]],
  at: int,
  face: face_regions.Face,
  ground: np.ndarray,
) -> dict[str, np.ndarray]:
  """Returns the overlays of one clip by method.

  Attention maps vary little, so only what exceeds their median is drawn.

  Args:
    maps: the return value of `methods.explain`.
    at: position of the clip in the maps.
    face: the landmarks of the clip.
    ground: result of `backgrounds`.
  """
  by_method = {}
  for name, streams in maps.items():
    own = {stream: m[at] for stream, m in streams.items()}
    if name == 'attention':
      own = {s: np.maximum(m - np.median(m), 0) for s, m in own.items()}
    if own:
      signed = name in (*methods.SIGNED, 'occlusion', 'regions')
      by_method[name] = overlays(own, face, ground, signed=signed)
  return by_method


def _legend(width):
  """The legend of the colours of a strip, in a line of its own."""
  line = np.full((24, width, 3), _PAPER, np.uint8)
  x = 8
  for colour, text in (
    (_FOR, 'red: evidence for the class that is explained'),
    (_AGAINST, 'blue: against it'),
    (None, 'Grad-CAM and attention: red alone, where the network looks'),
  ):
    if colour:
      cv2.rectangle(line, (x, 6), (x + 12, 18), colour, -1)
      x += 18
    _write(line, text, (x, 16), 0.38)
    x += _width(text, 0.38) + 18
  return line


def _labelled(line, name):
  """A row of frames with the name of its method on the left."""
  margin = np.full((line.shape[0], _MARGIN, 3), _PAPER, np.uint8)
  for i, word in enumerate(name.split('_')):
    _write(margin, word, (8, 24 + 18 * i), 0.45)
  return np.concatenate([margin, line], 1)


def _captioned(tile, name):
  """A frame with the name of its method above."""
  caption = np.full((20, tile.shape[1], 3), _PAPER, np.uint8)
  _write(caption, name, (3, 14), 0.33)
  return np.concatenate([caption, tile])


def _titled(picture, head):
  """A picture with a title that is made to fit, and warns in colour."""
  title = np.full((_HEAD, picture.shape[1], 3), _PAPER, np.uint8)
  text = ' | '.join(head)
  warned = {'SYNTHETIC', 'LEAKY'} & set(head)
  colour = _WARM if warned else _INK
  scale = 0.42
  while scale > 0.2 and _width(text, scale) > picture.shape[1] - 12:
    scale -= 0.02
  _write(title, text, (6, 18), scale, colour)
  return np.concatenate([title, picture])


def _width(text, scale):
  text = _ascii(text)
  return cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]


def _write(canvas, text, at, scale, colour=_INK):
  face = cv2.FONT_HERSHEY_SIMPLEX
  cv2.putText(canvas, _ascii(text), at, face, scale, colour, 1, cv2.LINE_AA)


def _ascii(text):
  """Text with escapes, since OpenCV's font draws only ASCII."""
  return text.encode('ascii', 'backslashreplace').decode()


def _even(frame):
  """Crops a frame to even sides, as H.264 requires."""
  high, wide = (n - n % 2 for n in frame.shape[:2])
  return frame[:high, :wide]
