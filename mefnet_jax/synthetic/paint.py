"""Paints the texture of a person: skin, lips, lids, eyes and clothes.

Colours are linear reflectances of red, green and blue; lengths are in dm.
"""

import cv2
import numpy as np

from mefnet_jax.synthetic import canvas, hair, identity
from mefnet_jax.synthetic import head as heads

LASHES = (0.02, 0.015, 0.012)
TEETH, TONGUE = (0.75, 0.7, 0.62), (0.42, 0.16, 0.14)
SCLERA, PUPIL = (0.4, 0.375, 0.36), (0.004, 0.004, 0.004)
FLUSH = np.array([0.02, 0.22, 0.2], np.float32)  # absorption by blood


def texture(looks: identity.Looks, rng: np.random.Generator) -> np.ndarray:
  """Paints the texture (HEIGHT, WIDTH + STRIP, 3) float32 of one person.

  Args:
    looks: the person's looks.
    rng: numpy Generator that places pores, freckles and hairs.
  """
  skin = _skin(looks, rng)
  skin = _lips(skin, looks, rng)
  skin = _lids(skin, looks)
  skin = hair.beard(skin, looks, rng)
  skin = hair.brows(skin, looks, rng)
  skin = hair.scalp(skin, looks, rng)
  skin = _clothes(skin, looks, rng)
  strip = np.empty((heads.HEIGHT, heads.STRIP, 3), np.float32)
  strip[: heads.TONGUE_AT[1] - 60] = TEETH
  strip[heads.TONGUE_AT[1] - 60 :] = TONGUE
  strip[: heads.STRIP] = _eye(looks, rng)
  return np.concatenate([skin, strip], axis=1).astype(np.float32)


def _skin(looks, rng):
  """Skin with mottle, pores, flush, dark rings, nostrils and freckles."""
  place = canvas.places()
  x, y = np.abs(place['x']), place['y']
  tone = np.array(looks.skin, np.float32)
  mottle = 0.03 * canvas.noise(60, rng) + 0.02 * canvas.noise(14, rng)
  # The mesh has no detail of its own: pores are what registration and flow
  # estimators hold on to.
  pores = 0.022 * canvas.noise(2.5, rng) + 0.02 * canvas.noise(5, rng)
  skin = tone * (1 + mottle + pores)[..., None]
  cheeks = canvas.spot((x - 0.42) / 0.24, (y + 0.42) / 0.26)
  nose = canvas.spot(x / 0.14, (y + 0.42) / 0.16)
  ears = canvas.spot((x - 0.82) / 0.1)
  ears *= canvas.smooth(0.5, 0.2, np.abs(y + 0.1))
  flush = looks.flush * (cheeks + 0.8 * nose + 0.6 * ears)
  skin = skin * (1 - flush[..., None] * FLUSH)
  under_eye = canvas.spot((x - 0.27) / 0.2, (y + 0.24) / 0.09)
  nostril = canvas.spot((x - 0.085) / 0.05, (y + 0.46) / 0.026)
  dark = (1 - looks.tired * under_eye) * (1 - 0.7 * nostril)
  return canvas.mix(
    skin * dark[..., None], tone * (0.62, 0.45, 0.38), _freckles(looks, rng)
  )


def _freckles(looks, rng):
  """The opacity of freckles and moles at each texel, 0..1."""
  spots = np.zeros(canvas.SIZE, np.float32)
  for _ in range(looks.freckles):
    at = (rng.normal(0, 0.42), rng.normal(-0.28, 0.2))
    _dot(spots, at, rng.uniform(0.8, 1.9), rng.uniform(0.25, 0.7))
  for _ in range(looks.moles):
    at = (rng.uniform(-0.6, 0.6), rng.uniform(-1.0, 0.6))
    _dot(spots, at, rng.uniform(1.2, 2.2), 0.9)
  return cv2.GaussianBlur(spots, (0, 0), 0.8)


def _dot(image, at, radius, value):
  """Draws a disc at x, y of the face, its radius in texels."""
  fine = 3  # fractional bits of the position
  centre = np.round(heads.cylinder(*at, 0.12) * 2**fine).astype(int)
  radius = int(radius * 2**fine)
  cv2.circle(image, centre.tolist(), radius, value, -1, cv2.LINE_AA, fine)


def _lips(skin, looks, rng):
  """Paints the lips between two curves, and the line where they meet."""
  place = canvas.places()
  x, y = np.abs(place['x']) / 0.245, place['y'] - hair.LIP_LINE
  front = place['z'] > 0
  bow = np.clip(1 - x**2, 0, 1)
  dip = 1 - 0.14 * canvas.spot(x / 0.11)
  top = 0.083 * looks.lip_height * bow**0.75 * dip
  bottom = -0.132 * looks.lip_height * bow**0.6
  lips = canvas.smooth(0.012, -0.012, y - top)
  lips *= canvas.smooth(-0.014, 0.014, y - bottom)
  lips *= canvas.smooth(1.0, 0.9, x) * front
  streaks = 1 + 0.06 * canvas.noise((9, 2.5), rng)
  colour = np.array(looks.lips, np.float32) * streaks[..., None]
  skin = canvas.mix(skin, colour, looks.lip_edge * lips)
  line = canvas.spot(y / 0.012) * canvas.smooth(1.08, 0.95, x) * front
  return skin * (1 - 0.45 * line)[..., None]


def _lids(skin, looks):
  """Paints lashes along the edges of the lids, and shade above the eye."""
  place = canvas.places()
  upper = canvas.spot(place['lid_up'] / 0.022)
  lower = canvas.spot(place['lid_low'] / 0.016)
  skin = canvas.mix(skin, LASHES, looks.lashes * upper)
  skin = canvas.mix(skin, skin * 0.35, 0.55 * lower)
  shade = canvas.spot(place['lid_up'] / 0.1) * (place['y'] > 0)
  return skin * (1 - looks.shadow * shade)[..., None]


def _clothes(skin, looks, rng):
  """Paints cloth below the collar."""
  place = canvas.places()
  below = looks.collar - 0.32 * (place['z'] + 0.9) - place['y']
  cloth = canvas.smooth(-0.02, 0.02, below)
  rim = canvas.smooth(0.12, 0.08, below)
  weave = 1 + 0.05 * canvas.noise(2, rng) + 0.05 * canvas.noise(40, rng)
  colour = np.array(looks.cloth, np.float32) * (weave - 0.18 * rim)[..., None]
  return skin * (1 - cloth[..., None]) + colour * cloth[..., None]


def _eye(looks, rng):
  """Paints the eyeball from the front, in a square of the strip's width."""
  rows, columns = np.mgrid[0 : heads.STRIP, 0 : heads.STRIP].astype(np.float32)
  u = (columns + heads.WIDTH - heads.EYE[0]) / heads.EYE[2]
  v = (rows - heads.EYE[1]) / heads.EYE[2]
  radius, angle = np.hypot(u, v), np.arctan2(v, u)
  white = 1 - 0.25 * canvas.smooth(0.45, 1.0, radius)
  eye = np.array(SCLERA, np.float32) * white[..., None]
  rays = 1 + 0.3 * rng.standard_normal(90)
  rays = np.interp(angle, np.linspace(-np.pi, np.pi, 90), rays)
  rays *= 1 - 0.55 * canvas.smooth(0.36, 0.47, radius)
  iris = np.array(looks.iris, np.float32) * rays[..., None]
  eye = eye + canvas.smooth(0.5, 0.45, radius)[..., None] * (iris - eye)
  pupil = canvas.smooth(looks.pupil + 0.03, looks.pupil - 0.03, radius)
  eye = canvas.mix(eye, PUPIL, pupil)
  eye = eye * (1 - 0.55 * canvas.smooth(-0.05, -0.5, v))[..., None]
  glint = canvas.spot((u - looks.glint) / 0.06, (v + 0.17) / 0.055)
  return canvas.mix(eye, (1.0, 1.0, 1.0), 0.75 * glint)
