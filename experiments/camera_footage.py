"""SYNTHETIC footage of any camera: one face, moved exactly, degraded, coded.

A person is rendered once for each size of the face. The exact motion and the
change of light of an action unit, both linear for movements so small, are then
scaled over time and warp that picture. What the exposure lets in is averaged,
noise is added, and H.264 codes the whole.
"""

import dataclasses
import functools
import io
from collections.abc import Iterator

import av
import cv2
import numpy as np

from mefnet_jax.preprocess import face_crop, quantiser
from mefnet_jax.synthetic import camera as cameras
from mefnet_jax.synthetic import (
  emotions,
  head,
  identity,
  nuisance,
  paint,
  prototypes,
  recording,
  render,
  stage,
  studio,
)

CLOCK = 200  # moments a second of the head's sway
QUIET = 20.0  # seconds before the first event in which no face moves
ACTIONS = {  # name: class, action units that move together; as in `study`
  'AU1+2': ('surprise', (1, 2)),
  'AU4': ('negative', (4,)),
  'AU15': ('negative', (15,)),
  'AU12': ('positive', (12,)),
}
AMPLITUDES = (0.25, 0.5, 1.0, 2.0)  # pixels, the largest of the skin
DURATIONS = (0.1, 0.2, 0.5)  # seconds from onset to offset
_REST = 0.42  # seconds before an apex that a window may need
_AFTER = 0.12  # seconds after an apex
_SWAY = 0.005  # of the head, standard deviation, distances of the eyes
# The luma of a video has levels 16 to 235.
_STRETCHED = np.clip(np.rint((np.arange(256.0) - 16) * 255 / 219), 0, 255)
_STRETCHED = _STRETCHED.astype(np.uint8)
_SHUTTER, _EXPOSURE = 0.5, 0.02  # share of a frame's time, at most seconds


@dataclasses.dataclass(frozen=True)
class Camera:
  """What is varied.

  Attributes:
    fps: frames a second.
    eyes: distance of the eyes, pixels.
    crf: of H.264 (libx264, preset veryfast).
    noise: standard deviation of the sensor's noise, grey levels.
    blur: of the lens and the like, standard deviation in pixels.
  """

  fps: float = 25.0
  eyes: float = 60.0
  crf: int = 23
  noise: float = 2.0
  blur: float = 0.0


@dataclasses.dataclass(frozen=True)
class Event:
  """One movement: what, how far in pixels, how long, and when (seconds)."""

  action: str
  amplitude: float
  duration: float
  apex: float

  def level(self, time: np.ndarray) -> np.ndarray:
    """How far the expression has gone, 0 to 1: smooth, the apex half-way."""
    phase = np.clip((time - self.apex) / self.duration, -0.5, 0.5)
    return np.cos(np.pi * phase) ** 2


class Face:
  """A person whose face has a given size, and what moves it."""

  def __init__(self, seed: int, number: int, eyes: float):
    """Renders the face.

    Args:
      seed, number: who it is.
      eyes: distance of the eyes, pixels.
    """

    def drawn(what):
      return np.random.default_rng([seed, number, *f'camera {what}'.encode()])

    person = identity.person(drawn('person'))
    texture = paint.texture(person.looks, drawn('paint')) @ studio.GREY
    parts, points = head.load().part, person.points
    pupils = [
      points[parts == p].mean(0) for p in (head.RIGHT_EYE, head.LEFT_EYE)
    ]
    # The nearer a point the larger it is; the eyes lie at z = 0.
    scale = eyes / float(np.linalg.norm(pupils[1][:2] - pupils[0][:2]))
    rows, columns = (2 * round(share * eyes / 2) for share in (2.9, 2.4))
    middle = (columns - 1) / 2, 1.05 * eyes
    camera = cameras.Camera((rows, columns), scale, middle)
    self.eyes = eyes
    still = cameras.surface(points, {}, np.zeros(5), camera)
    self._stage = stage.Stage(
      render.scene(person, texture, camera), [still, still]
    )
    self._exposure = np.float32(self._stage.scene.exposure)
    self.size = rows, columns
    self.box = (0.6 * eyes, 0.5 * eyes, 1.8 * eyes, 2.4 * eyes)
    self.fields = {
      name: self._field(points, units, number % 2, still)
      for name, (_, units) in ACTIONS.items()
    }
    self.matrix = face_crop.matrix(self._landmarks(still, camera))

  def image(
    self, place: np.ndarray, action: str, level: float, blur: float
  ) -> np.ndarray:
    """A picture without noise.

    Args:
      place: (2,) how far the head has moved to the right and down, pixels.
      action: a key of ACTIONS.
      level: of the action, pixels.
      blur: standard deviation in pixels.

    Returns:
      (rows, columns) float32 of 0 to 255.
    """
    grid = self._stage.grid - place.astype(np.float32)
    field = np.float32(level) * self.fields[action] if level else None
    linear = self._stage.at(grid, field, 1)[..., 0] * self._exposure
    linear = cv2.GaussianBlur(linear, (0, 0), np.hypot(0.5, blur))
    tone = np.clip(linear, 0, 1) ** np.float32(1 / render.GAMMA)
    curve = tone * tone * (3 - 2 * tone)
    return 255 * (tone + np.float32(render.CONTRAST) * (curve - tone))

  def _field(self, points, units, form, still):
    """The `Stage.field` of action units whose skin moves at most 1 pixel."""
    camera, weights = self._stage.scene.camera, {}
    for unit in units:
      shares = emotions.ACTION_UNITS[unit]
      shares = prototypes.FORMS.get(unit, shares) if form else shares
      for name, share in shares.items():
        sides = ('Left', 'Right') if name.endswith('*') else ('',)
        for side in sides:
          own = name.removesuffix('*') + side
          # As far each, though some units move a face more than others.
          weight = 0.02 * share / emotions.reach()[unit]
          weights[own] = weights.get(own, 0) + weight
    moved = cameras.surface(points, weights, np.zeros(5), camera)
    skin = head.load().part == head.SKIN
    far = camera.project(moved)[skin] - camera.project(still)[skin]
    return self._stage.field(moved) / np.float32(np.hypot(*far.T).max())

  def _landmarks(self, still, camera):
    """As many points as `face_crop.matrix` needs, where the truth has them."""
    at, parts = camera.project(still), head.load().part
    rest = head.load().rest
    places = [at[parts == p].mean(0) for p in (head.RIGHT_EYE, head.LEFT_EYE)]
    far = np.linalg.norm(rest - np.array((0.0, -0.678, 0.281)), axis=1)
    far[parts != head.SKIN] = np.inf
    mouth = at[np.argsort(far)[:4]].mean(0)
    lower = 0.025 * self.eyes
    made = np.zeros((68, 2))
    made[36:42], made[42:48] = (p + (0, lower) for p in places)
    made[48:68] = mouth
    return made


@functools.lru_cache(maxsize=1)
def face(seed: int, number: int, eyes: float) -> Face:
  """A `Face`, cached while one camera after the other films it."""
  return Face(seed, number, eyes)


def plan(seed: int, number: int) -> tuple[list[Event], float]:
  """The events of a person, in random order, and the length in seconds."""
  random = np.random.default_rng([seed, number, *b'camera plan'])
  chosen = [
    (action, amplitude, duration)
    for action in ACTIONS
    for amplitude in AMPLITUDES
    for duration in DURATIONS
  ]
  events, now = [], QUIET
  for k in random.permutation(len(chosen)):
    action, amplitude, duration = chosen[k]
    # Frames fall anywhere in an event.
    apex = now + _REST + random.uniform(0, 0.1)
    events.append(Event(action, amplitude, duration, apex))
    now = apex + max(duration / 2, _AFTER)
  return events, now + 0.1


def coded(
  who: Face, camera: Camera, seed: int, number: int
) -> tuple[bytes, np.ndarray]:
  """A recording of all events of a person.

  Returns:
    The file (MP4, H.264), and where the head is on each frame, (n, 2) pixels.
  """
  events, seconds = plan(seed, number)
  random = np.random.default_rng([seed, number, *b'camera noise'])
  sway = np.random.default_rng([seed, number, *b'camera sway'])
  moves = [
    _SWAY * who.eyes * nuisance.wander(round(seconds * CLOCK), CLOCK, sway)
    for _ in range(2)
  ]
  times = np.arange(int(seconds * camera.fps)) / camera.fps
  exposure = min(_SHUTTER / camera.fps, _EXPOSURE)
  # The mean of three moments: the movement is far below its own width.
  seen = times[:, None] + exposure * np.array([-1 / 3, 0, 1 / 3])
  clock = np.arange(round(seconds * CLOCK)) / CLOCK
  places = np.stack(
    [np.interp(seen, clock, move).mean(1) for move in moves], axis=1
  )
  file = io.BytesIO()
  with av.open(file, 'w', format='mp4') as container:
    options = {'crf': str(camera.crf), 'preset': 'veryfast', 'threads': '1'}
    options |= recording.SAME_BITS
    images = _pictures(who, camera, events, seen, places, random)
    recording.encode(container, images, camera.fps, who.size, options)
  return file.getvalue(), places


def _pictures(who, camera, events, seen, places, random):
  """Yields the pictures of the sensor, (rows, columns) uint8 each."""
  following = 0
  for moments, place in zip(seen, places, strict=True):
    while (
      following < len(events) - 1
      and moments[1] > events[following].apex + events[following].duration / 2
    ):
      following += 1
    event = events[following]
    level = event.amplitude * float(event.level(moments).mean())
    image = who.image(place, event.action, level, camera.blur)
    image += np.float32(camera.noise) * random.standard_normal(
      image.shape, np.float32
    )
    yield np.clip(np.rint(image), 0, 255).astype(np.uint8)


def decoded(
  file: bytes, counts: list[float]
) -> Iterator[tuple[float, np.ndarray]]:
  """Yields time and picture of each frame; adds the quantisers to `counts`."""
  with av.open(io.BytesIO(file)) as container:
    stream = container.streams.video[0]
    quantiser.export(stream)
    for frame in container.decode(stream):
      step = quantiser.of_frame(frame)
      if step is not None:
        counts.append(step)
      # The luma, stretched as format='gray' does it, but sooner.
      plane = frame.planes[0]
      image = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
      yield (
        float(frame.time),
        cv2.LUT(image[: frame.height, : frame.width], _STRETCHED),
      )
