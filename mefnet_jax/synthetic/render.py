"""Renders the performance of a person, frame by frame."""

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np

from mefnet_jax.synthetic import camera as cameras
from mefnet_jax.synthetic import head as heads
from mefnet_jax.synthetic import identity, raster, stage

GAMMA = 2.2
CONTRAST = 0.5  # strength of the camera's S-shaped tone curve


def scene(
  person: identity.Person, texture: np.ndarray, camera: cameras.Camera
) -> stage.Scene:
  """Prepares a scene for `clip`.

  Args:
    person: the person to film.
    texture: the person's texture, from `paint.texture`.
    camera: the camera.
  """
  head = heads.load()
  # Averaging over several directions softens the edges of the shadow.
  jitter = 0.12 * np.random.default_rng(0).standard_normal((8, 3))
  shadow = np.mean(
    [
      raster.lit(person.points, head.triangles, person.light + d)
      for d in jitter
    ],
    axis=0,
  )
  # The exposure compensates partly for dark skin and dim light.
  skin = float(np.dot(person.looks.skin, (0.3, 0.6, 0.1)))
  light = 0.75 * person.key + person.ambient
  exposure = 0.42 * (skin / 0.42) ** 0.6 / (skin * light)
  return stage.Scene(
    person,
    np.ascontiguousarray(texture, np.float32),
    camera,
    shadow.astype(np.float32),
    exposure,
  )


def surfaces(
  scene: stage.Scene, units: Mapping[str, np.ndarray], pose: np.ndarray
) -> list[np.ndarray]:
  """Returns the surface (V, 3) of each frame.

  Args:
    scene: the scene to film.
    units: weights (T,) of face units, from `emotions.face_units`.
    pose: (T, 5) pose of the head, see `nuisance.head`.
  """
  return [
    cameras.surface(
      scene.person.points,
      {name: w[t] for name, w in units.items()},
      pose[t],
      scene.camera,
    )
    for t in range(len(pose))
  ]


def clip(
  scene: stage.Scene,
  moments: Sequence[np.ndarray],
  gain: np.ndarray,
  rng: np.random.Generator,
) -> Iterator[np.ndarray]:
  """Renders the frames of a clip.

  Args:
    scene: a `stage.Scene`.
    moments: the surface (V, 3) of each of T frames.
    gain: (T,) factor on the light.
    rng: numpy Generator of the sensor's noise.

  Yields:
    frames (rows, columns, channels) uint8.
  """
  first = stage.Stage(scene, moments)
  for points, factor in zip(moments, gain, strict=True):
    linear = first.frame(points) * np.float32(factor * scene.exposure)
    yield _develop(linear, scene.person.noise, rng)


def _develop(linear, noise, rng):
  """Converts linear light to 8 bits: blur, tone curve and sensor noise."""
  image = cv2.GaussianBlur(linear, (3, 3), 0.5).reshape(linear.shape)
  image = np.clip(image, 0, 1) ** np.float32(1 / GAMMA)
  image += np.float32(CONTRAST) * (image * image * (3 - 2 * image) - image)
  # Noise comes after the tone curve, so that it is the same in light and dark.
  image = 255 * image + np.float32(noise) * rng.standard_normal(
    image.shape, np.float32
  )
  return np.clip(np.rint(image), 0, 255).astype(np.uint8)
