"""Paints eyebrows, beard and hair, and defines the hairline."""

from typing import Any

import cv2
import numpy as np
import scipy.interpolate

from mefnet_jax.synthetic import canvas
from mefnet_jax.synthetic import head as heads

LIP_LINE = -0.668  # y of the closed mouth, dm
BROW_FROM = 0.085  # x of the brows' inner ends, dm


def hairline(
  x: np.ndarray, y: np.ndarray, z: np.ndarray, looks: Any
) -> np.ndarray:
  """Returns the distances of points to the hairline, dm; negative outside.

  Args:
    x, y, z: the points, dm.
    looks: an `identity.Looks`.
  """
  turn = np.abs(np.arctan2(x, z - heads.AXIS))  # 0 in front
  top, burn = looks.hairline, looks.sideburn
  corner = top + looks.temple
  edge = (  # angle, lowest y of hair
    (0.0, top),
    (0.3, top + 0.02),
    (0.58, corner),
    (0.82, corner - 0.14),
    (0.98, 0.22),
    (1.12, 0.1),
    (1.25, burn),  # before the ear
    (1.4, burn + 0.08),
    (1.55, 0.3),  # above it
    (1.85, 0.28),
    (2.05, -0.75),  # behind it
    (3.2, -0.95),
  )
  curve = scipy.interpolate.PchipInterpolator(*zip(*edge, strict=True))
  return y - curve(turn)


def scalp(skin: np.ndarray, looks: Any, rng: np.random.Generator) -> np.ndarray:
  """Paints the hair of the scalp over the skin (HEIGHT, WIDTH, 3)."""
  place = canvas.places()
  inside = hairline(place['x'], place['y'], place['z'], looks)
  inside = inside + 0.025 * canvas.noise((40, 25), rng)
  fine = _combed(canvas.noise((60, 1.8), rng), looks)
  broad = _combed(canvas.noise((120, 8), rng), looks)
  cover = canvas.smooth(-0.06, 0.09, inside + 0.035 * fine)
  cover = looks.hair_cover * cover[..., None]
  strands = np.clip(1 + 0.2 * fine + 0.16 * broad, 0.3, 2)
  roots = 0.55 + 0.45 * canvas.smooth(0, 0.25, inside)
  colour = np.array(looks.hair, np.float32) * (strands * roots)[..., None]
  return skin * (1 - cover) + colour * cover


def brows(skin: np.ndarray, looks: Any, rng: np.random.Generator) -> np.ndarray:
  """Paints the eyebrows over the skin (HEIGHT, WIDTH, 3)."""
  place = canvas.places()
  along = (np.abs(place['x']) - BROW_FROM) / looks.brow_length
  arch = np.interp(along, (0, 0.3, 0.65, 1), (0, 0.03, 0.052, 0.012))
  width = np.interp(along, (0, 0.2, 0.6, 1), (0.8, 1, 0.8, 0.25))
  off = place['y'] - looks.brow_height - looks.brow_arch * arch
  body = np.exp(-(np.abs(off / (looks.brow_width * width)) ** 2.5))
  body *= canvas.smooth(-0.12, 0.1, along) * canvas.smooth(1.08, 0.8, along)
  body = np.clip(body * (0.85 + 0.22 * _slanted(rng)), 0, 1)
  body[place['z'] < -0.5] = 0
  colour = np.array(looks.hair, np.float32)
  colour *= min(0.6, 0.06 / colour.max())
  return canvas.mix(skin, colour, looks.brow_strength * body)


def beard(skin: np.ndarray, looks: Any, rng: np.random.Generator) -> np.ndarray:
  """Paints stubble over the skin (HEIGHT, WIDTH, 3)."""
  place = canvas.places()
  x, y = np.abs(place['x']), place['y']
  side = 0.55 * canvas.smooth(0.35, 0.7, x)
  area = canvas.smooth(-0.42, -0.62, y - side)
  area *= canvas.smooth(-1.75, -1.25, y)
  area *= canvas.smooth(-0.9, -0.5, place['z'])
  lips = (x / 0.24) ** 2 + ((y - LIP_LINE + 0.025) / 0.11) ** 2
  area *= canvas.smooth(0.8, 1.25, lips)
  stubble = np.clip(0.8 + 0.25 * canvas.noise(1.5, rng), 0, 1.6)
  tint = np.array(looks.hair, np.float32) * 0.7 + 0.03
  return canvas.mix(skin, tint, looks.beard * area * stubble)


def _combed(field, looks):
  """Slants vertical strands away from the parting."""
  height, width = field.shape
  rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
  side = np.where(columns < width / 2 + 60 * looks.parting, -1, 1)
  slant = looks.sweep * side * np.maximum(300 - rows, 0)
  return cv2.remap(
    field,
    (columns - slant).astype(np.float32),
    rows,
    cv2.INTER_LINEAR,
    borderMode=cv2.BORDER_REFLECT,
  )


def _slanted(rng):
  """Short slanted strokes, mirrored at the middle."""
  half = (heads.HEIGHT, heads.WIDTH // 2)
  field = canvas.noise((2.0, 5.0), rng, half)
  slant = np.float32([[1, 0.9, 0], [-0.45, 1, 0]])
  field = cv2.warpAffine(
    field, slant, half[::-1], borderMode=cv2.BORDER_REFLECT
  )
  return np.concatenate([field[:, ::-1], field], axis=1)
