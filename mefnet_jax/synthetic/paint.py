"""Paints a person's skin, lips, brows, eyes and hair in rest coordinates.

Colours are linear red, green, blue reflectances.
"""

import functools

import cv2
import numpy as np

from mefnet_jax.synthetic import head as heads
from mefnet_jax.synthetic import raster


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
  angles = np.array([0, 0.35, 0.62, 0.85, 1.0, 1.12, 1.28, 1.45, 1.6, 1.95, 2.1, 3.2])
  top, burn = looks.hairline, looks.sideburn
  edge = [top, top, top - 0.05 + looks.temple, top - 0.22 + looks.temple,
          top - 0.42, 0.12, burn, burn + 0.1, 0.32, 0.3, -0.75, -0.95]
  return y - np.interp(theta, angles, edge)


@functools.lru_cache(maxsize=1)
def _places():
  """What lies under each texel: rest x, y, z, lips, lids, openness."""
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
  names = ('x', 'y', 'z', 'upper', 'lower', 'lid_up', 'lid_low', 'open')
  values = np.concatenate(
    [head.rest, head.lips, head.lids, head.occlusion[:, None]], axis=1
  )
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
  nostril = np.exp(-(((x - 0.085) / 0.06) ** 2) - ((y + 0.565) / 0.035) ** 2)
  skin = skin * (1 - 0.75 * nostril)[..., None]
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
  lips = np.maximum(_smooth(0.16, 0.42, place['upper']),
                    _smooth(0.16, 0.42, place['lower']))
  lips *= _smooth(0.33, 0.28, np.abs(place['x']))
  streaks = 1 + 0.06 * _noise(size, (9, 2.5), rng)
  colour = np.array(looks.lips, np.float32) * streaks[..., None]
  return _mix(skin, colour, looks.lip_edge * lips)


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
  lips = np.maximum(place['upper'], place['lower'])
  area *= 1 - _smooth(0.1, 0.3, lips)
  stubble = np.clip(0.75 + 0.45 * _noise(size, 2, rng), 0, 1.6)
  tint = np.array(looks.hair, np.float32) * 0.7 + 0.03
  return _mix(skin, tint, np.clip(looks.beard * area * stubble, 0, 0.95))


def _brows(skin, looks, place, size, rng):
  x, y = np.abs(place['x']), place['y']
  along = (x - 0.085) / looks.brow_length
  arch = np.interp(along, [0, 0.3, 0.65, 1.0], [0, 0.045, 0.075, 0.0])
  middle = looks.brow_height + arch * looks.brow_arch
  half = looks.brow_width * np.interp(along, [0, 0.2, 0.6, 1], [0.8, 1, 0.8, 0.25])
  across = (y - middle) / half
  body = np.exp(-(across**2) * 1.3)
  body *= _smooth(-0.12, 0.1, along) * _smooth(1.08, 0.8, along)
  hairs = _slanted(size, rng)
  body = np.clip(body * (0.8 + 0.3 * hairs), 0, 1)
  body[place['z'] < -0.5] = 0
  return _mix(skin, np.array(looks.hair) * 0.8, looks.brow_strength * body)


def _slanted(size, rng):
  """Short slanted strokes, mirrored at the middle."""
  half = (size[0], size[1] // 2)
  field = _noise(half, (2.0, 5.0), rng)
  slant = np.float32([[1, 0.9, 0], [-0.45, 1, 0]])
  field = cv2.warpAffine(field, slant, half[::-1], borderMode=cv2.BORDER_REFLECT)
  return np.concatenate([field[:, ::-1], field], axis=1)


def _hair(skin, looks, place, size, rng):
  inside = hairline(place['x'], place['y'], place['z'], looks)
  inside = inside + 0.02 * _noise(size, (30, 12), rng)
  inside = inside + 0.022 * _noise(size, (24, 2.5), rng)
  cover = looks.hair_cover * _smooth(-0.03, 0.07, inside)
  strands = 1 + 0.22 * _noise(size, (80, 2.2), rng) + 0.16 * _noise(
    size, (120, 9), rng)
  colour = np.array(looks.hair, np.float32) * np.clip(strands, 0.3, 2)[..., None]
  return _mix(skin, 1, 0 * cover) * (1 - cover[..., None]) + colour * cover[..., None]


def _clothes(skin, looks, place, size, rng):
  x, y = place['x'], place['y']
  collar = -1.92 + 0.33 * np.clip(np.abs(x) / 0.75, 0, 1) ** 2
  collar = np.where(place['z'] < -0.9, -1.5, collar)
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
  white = np.array([0.62, 0.585, 0.56], np.float32)
  eye = white * (1 - 0.25 * _smooth(0.45, 1.0, radius))[..., None]
  rays = np.interp(angle, np.linspace(-np.pi, np.pi, 90),
                   1 + 0.3 * rng.standard_normal(90)).astype(np.float32)
  iris = np.array(looks.iris, np.float32) * rays[..., None]
  iris = iris * (1 - 0.55 * _smooth(0.36, 0.47, radius))[..., None]
  eye = eye + _smooth(0.5, 0.45, radius)[..., None] * (iris - eye)
  pupil = _smooth(looks.pupil + 0.03, looks.pupil - 0.03, radius)
  eye = _mix(eye, (0.004, 0.004, 0.004), pupil)
  eye = eye * (1 - 0.55 * _smooth(-0.05, -0.5, v))[..., None]
  glint = np.exp(-(((u - looks.glint) / 0.09) ** 2) - ((v + 0.16) / 0.08) ** 2)
  strip[:128] = _mix(eye, (1.6, 1.6, 1.6), np.clip(glint, 0, 1))
  return strip
