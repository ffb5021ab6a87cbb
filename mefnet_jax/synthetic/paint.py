"""Paints a person's skin, lips, brows, eyes and hair in rest coordinates.

Colours are linear red, green, blue reflectances.
"""

import functools

import cv2
import numpy as np
import scipy.interpolate

from mefnet_jax.synthetic import head as heads
from mefnet_jax.synthetic import raster

LIP_LINE = -0.668  # y of the closed mouth, dm


def texture(looks, rng) -> np.ndarray:
  """The texture (HEIGHT, WIDTH + STRIP, 3) float32 of one person.

  Args:
    looks: the `identity.Looks` of the person.
    rng: numpy Generator that places pores, freckles and hairs.
  """
  place = _places()
  size = (heads.HEIGHT, heads.WIDTH)
  skin = _skin(looks, place, size, rng)
  skin = _lips(skin, looks, place, size, rng)
  skin = _lids(skin, looks, place)
  skin = _beard(skin, looks, place, size, rng)
  skin = _brows(skin, looks, place, size, rng)
  skin = _hair(skin, looks, place, size, rng)
  skin = _clothes(skin, looks, place, size, rng)
  strip = _strip(looks, rng)
  return np.concatenate([skin, strip], axis=1).astype(np.float32)


def hairline(x, y, z, looks):
  """How far inside the hair a point of the skin lies, dm; negative outside."""
  theta = np.abs(np.arctan2(x, z - heads.AXIS))
  top, burn = looks.hairline, looks.sideburn
  corner = top + looks.temple
  curve = scipy.interpolate.PchipInterpolator(
    [0, 0.3, 0.58, 0.82, 0.98, 1.12, 1.25, 1.4, 1.55, 1.85, 2.05, 3.2],
    [top, top + 0.02, corner, corner - 0.14, 0.22, 0.1, burn, burn + 0.08,
     0.3, 0.28, -0.75, -0.95])
  return y - curve(np.minimum(theta, 3.2))


@functools.lru_cache(maxsize=1)
def _places():
  """What lies under each texel: rest x, y, z and the lids' distance."""
  head = heads.load()
  skin = head.triangles[(head.part[head.triangles] == heads.SKIN).all(axis=1)]
  back = np.abs(head.texture[skin, 0].min(1) - head.texture[skin, 0].max(1))
  skin = skin[back < heads.WIDTH / 2]
  radius = np.hypot(head.rest[:, 0], head.rest[:, 2] - heads.AXIS)
  ids, weights = raster.draw(
    head.texture, radius, skin, (heads.HEIGHT, heads.WIDTH)
  )
  empty = (ids < 0).astype(np.uint8)
  _, label = cv2.distanceTransformWithLabels(
    empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
  )
  nearest = np.zeros(label.max() + 1, np.int64)
  nearest[label[empty == 0]] = np.flatnonzero(empty.ravel() == 0)
  source = nearest[label].ravel()
  corners = skin[ids.ravel()[source]]
  weights = weights.reshape(-1, 3)[source]
  names = ('x', 'y', 'z', 'lid_up', 'lid_low')
  values = np.concatenate([head.rest, head.lids], axis=1)
  maps = (values[corners] * weights[..., None]).sum(axis=1)
  maps = maps.reshape(heads.HEIGHT, heads.WIDTH, -1)
  return {name: maps[..., k].copy() for k, name in enumerate(names)}


def _smooth(low, high, value):
  """0 below low, 1 above high, a smooth step between."""
  t = np.clip((value - low) / (high - low), 0, 1)
  return t * t * (3 - 2 * t)


def _noise(size, grain, rng):
  """Smooth noise of unit spread; grain (down, across) in texels."""
  down, across = grain if isinstance(grain, tuple) else (grain, grain)
  small = (int(size[0] / down) + 4, int(size[1] / across) + 4)
  field = rng.standard_normal(small).astype(np.float32)
  return cv2.resize(field, size[::-1], interpolation=cv2.INTER_CUBIC)


def _mix(base, colour, amount):
  return base + amount[..., None] * (np.asarray(colour, np.float32) - base)


def _skin(looks, place, size, rng):
  x, y = np.abs(place['x']), place['y']
  tone = np.array(looks.skin, np.float32)
  mottle = 0.03 * _noise(size, 60, rng) + 0.02 * _noise(size, 14, rng)
  pores = 0.022 * _noise(size, 2.5, rng) + 0.02 * _noise(size, 5, rng)
  skin = tone * (1 + mottle + pores)[..., None]
  cheeks = np.exp(-(((x - 0.42) / 0.24) ** 2) - ((y + 0.42) / 0.26) ** 2)
  nose = np.exp(-((x / 0.14) ** 2) - ((y + 0.42) / 0.16) ** 2)
  ears = np.exp(-(((x - 0.82) / 0.1) ** 2)) * _smooth(0.5, 0.2, np.abs(y + 0.1))
  flush = looks.flush * (cheeks + 0.8 * nose + 0.6 * ears)
  skin = skin * (1 - flush[..., None] * np.array([0.02, 0.22, 0.2], np.float32))
  under = np.exp(-(((x - 0.27) / 0.2) ** 2) - ((y + 0.24) / 0.09) ** 2)
  skin = skin * (1 - looks.tired * under)[..., None]
  nostril = np.exp(-(((x - 0.085) / 0.05) ** 2) - ((y + 0.46) / 0.026) ** 2)
  skin = skin * (1 - 0.7 * nostril)[..., None]
  return _mix(skin, tone * (0.62, 0.45, 0.38), _freckles(looks, place, size, rng))


def _freckles(looks, place, size, rng):
  spots = np.zeros(size, np.float32)
  for _ in range(looks.freckles):
    u, v = rng.normal(0, 0.42), rng.normal(-0.28, 0.2)
    at = heads.cylinder(u, v, 0.15)
    radius = rng.uniform(0.8, 1.9)
    cv2.circle(spots, np.round(at * 8).astype(int).tolist(), int(8 * radius),
               rng.uniform(0.25, 0.7), -1, cv2.LINE_AA, 3)
  for _ in range(looks.moles):
    at = heads.cylinder(rng.uniform(-0.6, 0.6), rng.uniform(-1.0, 0.6), 0.1)
    cv2.circle(spots, np.round(at * 8).astype(int).tolist(),
               int(8 * rng.uniform(1.5, 3)), 1.0, -1, cv2.LINE_AA, 3)
  return cv2.GaussianBlur(spots, (0, 0), 0.8)


def _lips(skin, looks, place, size, rng):
  x, y = np.abs(place['x']) / 0.245, place['y']
  bow = np.clip(1 - x**2, 0, 1)
  dip = 1 - 0.14 * np.exp(-((x / 0.11) ** 2))
  top = LIP_LINE + 0.083 * looks.lip_height * bow**0.75 * dip
  bottom = LIP_LINE - 0.132 * looks.lip_height * bow**0.6
  lips = _smooth(0.012, -0.012, y - top) * _smooth(-0.014, 0.014, y - bottom)
  lips *= _smooth(1.0, 0.9, x) * (place['z'] > 0)
  line = np.exp(-(((y - LIP_LINE) / 0.012) ** 2)) * _smooth(1.08, 0.95, x)
  streaks = 1 + 0.06 * _noise(size, (9, 2.5), rng)
  colour = np.array(looks.lips, np.float32) * streaks[..., None]
  skin = _mix(skin, colour, looks.lip_edge * lips)
  return skin * (1 - 0.45 * line * (place['z'] > 0))[..., None]


def _lids(skin, looks, place):
  """Lashes along the lids' edges and the crease above the eye."""
  upper = np.exp(-((place['lid_up'] / 0.022) ** 2))
  lower = np.exp(-((place['lid_low'] / 0.016) ** 2))
  skin = _mix(skin, (0.02, 0.015, 0.012), np.clip(looks.lashes * upper, 0, 1))
  skin = _mix(skin, skin * 0.35, np.clip(0.55 * lower, 0, 1))
  shade = np.exp(-((place['lid_up'] / 0.1) ** 2)) * (place['y'] > 0)
  return skin * (1 - looks.shadow * shade)[..., None]


def _beard(skin, looks, place, size, rng):
  x, y = np.abs(place['x']), place['y']
  area = _smooth(-0.42, -0.62, y - 0.55 * _smooth(0.35, 0.7, x))
  area *= _smooth(-1.75, -1.25, y) * _smooth(-0.9, -0.5, place['z'])
  lips = (x / 0.24) ** 2 + ((y - LIP_LINE + 0.025) / 0.11) ** 2
  area *= _smooth(0.8, 1.25, lips)
  stubble = np.clip(0.8 + 0.25 * _noise(size, 1.5, rng), 0, 1.6)
  tint = np.array(looks.hair, np.float32) * 0.7 + 0.03
  return _mix(skin, tint, np.clip(looks.beard * area * stubble, 0, 0.95))


def _brows(skin, looks, place, size, rng):
  x, y = np.abs(place['x']), place['y']
  along = (x - 0.085) / looks.brow_length
  arch = np.interp(along, [0, 0.3, 0.65, 1.0], [0, 0.03, 0.052, 0.012])
  middle = looks.brow_height + arch * looks.brow_arch
  half = looks.brow_width * np.interp(along, [0, 0.2, 0.6, 1], [0.8, 1, 0.8, 0.25])
  across = (y - middle) / half
  body = np.exp(-np.abs(across) ** 2.5)
  body *= _smooth(-0.12, 0.1, along) * _smooth(1.08, 0.8, along)
  hairs = _slanted(size, rng)
  body = np.clip(body * (0.85 + 0.22 * hairs), 0, 1)
  body[place['z'] < -0.5] = 0
  colour = np.array(looks.hair, np.float32)
  colour *= min(0.6, 0.06 / colour.max())
  return _mix(skin, colour, looks.brow_strength * body)


def _slanted(size, rng):
  """Short slanted strokes, mirrored at the middle."""
  half = (size[0], size[1] // 2)
  field = _noise(half, (2.0, 5.0), rng)
  slant = np.float32([[1, 0.9, 0], [-0.45, 1, 0]])
  field = cv2.warpAffine(field, slant, half[::-1], borderMode=cv2.BORDER_REFLECT)
  return np.concatenate([field[:, ::-1], field], axis=1)


def _hair(skin, looks, place, size, rng):
  inside = hairline(place['x'], place['y'], place['z'], looks)
  inside = inside + 0.025 * _noise(size, (40, 25), rng)
  fine, broad = (
    _combed(_noise(size, grain, rng), looks) for grain in ((60, 1.8), (120, 8)))
  cover = looks.hair_cover * _smooth(-0.06, 0.09, inside + 0.035 * fine)
  strands = np.clip(1 + 0.2 * fine + 0.16 * broad, 0.3, 2)
  roots = 0.55 + 0.45 * _smooth(0, 0.25, inside)
  colour = np.array(looks.hair, np.float32) * (strands * roots)[..., None]
  return skin * (1 - cover[..., None]) + colour * cover[..., None]


def _combed(field, looks):
  """Slants vertical strands away from the parting."""
  rows, columns = np.mgrid[0:field.shape[0], 0:field.shape[1]]
  part = field.shape[1] / 2 + looks.parting * 60
  side = np.where(columns < part, -1, 1)
  slant = looks.sweep * side * np.maximum(300 - rows, 0)
  return cv2.remap(
    field, (columns - slant).astype(np.float32), rows.astype(np.float32),
    cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _clothes(skin, looks, place, size, rng):
  y = place['y']
  collar = looks.collar - 0.32 * (place['z'] + 0.9)
  cloth = _smooth(0.02, -0.02, y - collar)
  rim = _smooth(-0.12, -0.08, y - collar)
  weave = 1 + 0.05 * _noise(size, 2, rng) + 0.05 * _noise(size, 40, rng)
  colour = np.array(looks.cloth, np.float32) * (weave - 0.18 * rim)[..., None]
  return skin * (1 - cloth[..., None]) + colour * cloth[..., None]


def _strip(looks, rng):
  strip = np.empty((heads.HEIGHT, heads.STRIP, 3), np.float32)
  strip[:] = (0.75, 0.7, 0.62)
  strip[260:] = (0.42, 0.16, 0.14)
  rows, columns = np.mgrid[0:128, 0:128].astype(np.float32)
  u = (columns - (EYE_AT := heads.EYE[0] - heads.WIDTH)) / heads.EYE[2]
  v = (rows - heads.EYE[1]) / heads.EYE[2]
  radius, angle = np.hypot(u, v), np.arctan2(v, u)
  white = np.array([0.5, 0.47, 0.45], np.float32)
  eye = white * (1 - 0.25 * _smooth(0.45, 1.0, radius))[..., None]
  rays = np.interp(angle, np.linspace(-np.pi, np.pi, 90),
                   1 + 0.3 * rng.standard_normal(90)).astype(np.float32)
  iris = np.array(looks.iris, np.float32) * rays[..., None]
  iris = iris * (1 - 0.55 * _smooth(0.36, 0.47, radius))[..., None]
  eye = eye + _smooth(0.5, 0.45, radius)[..., None] * (iris - eye)
  pupil = _smooth(looks.pupil + 0.03, looks.pupil - 0.03, radius)
  eye = _mix(eye, (0.004, 0.004, 0.004), pupil)
  eye = eye * (1 - 0.55 * _smooth(-0.05, -0.5, v))[..., None]
  glint = np.exp(-(((u - looks.glint) / 0.06) ** 2) - ((v + 0.17) / 0.055) ** 2)
  strip[:128] = _mix(eye, (1.0, 1.0, 1.0), 0.75 * glint)
  return strip
