r"""Records one rendered person as a video, with a table of the expressions.

python -m mefnet_jax.synthetic.recording --out=talk.mp4 --seconds=20 --seed=3

Micro- and macro-expressions, blinks, head motion, flicker and, if asked for,
speech. All of it moves on a clock of its own, so the same seed at another frame
rate is the same recording. The table is talk.truth.csv. SYNTHETIC.
"""

import argparse
import dataclasses
import fractions
import pathlib
import sys
import typing
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from mefnet_jax.runs import cli, errors, files, outputs, progress_lines
from mefnet_jax.synthetic import (
  camera,
  emotions,
  identity,
  nuisance,
  paint,
  render,
  studio,
)

if typing.TYPE_CHECKING:
  import av

CLOCK = 200  # moments a second at which motion is drawn
# With its macroblock tree x264 lets a file depend on what memory held before.
SAME_BITS = {'x264-params': 'mbtree=0'}
VIEW = camera.Camera(size=(240, 320), scale=66.0, eyes=(159.5, 104.0))
_SECONDS = {False: (0.27, 0.5), True: (0.6, 2.5)}  # of micro and macro
_PAUSE = (1.0, 3.0)  # seconds from one expression to the next
_FADE = 0.3  # seconds in which the rest of an expression goes
_MACRO = 0.4  # share of expressions
_SPEECH = ('jawOpen', 'mouthFunnel', 'mouthPucker', 'mouthLowerDownLeft')
HEADER = ('video', 'face', 'onset', 'apex', 'offset', 'class', 'kind')


@dataclasses.dataclass(frozen=True)
class Take:
  """The motions of a person; arrays have `CLOCK` moments a second.

  Attributes:
    scene: the person in front of a camera.
    units: weights (n,) of each face unit.
    pose: (n, 5) pose of the head, see `nuisance.head`.
    gain: (n,) factor on the light.
    events: (onset, apex, offset in seconds, emotion, 'micro' or 'macro').
    seed: the seed of the sensor's noise.
  """

  scene: render.stage.Scene
  units: dict[str, np.ndarray]
  pose: np.ndarray
  gain: np.ndarray
  events: list[tuple[float, float, float, str, str]]
  seed: int


def plan(
  seed: int,
  seconds: float,
  *,
  expressions: bool = True,
  speech: bool = False,
  view: camera.Camera = VIEW,
) -> Take:
  """Draws the motions of a person at random.

  Args:
    seed: the seed of the person and of all motions.
    seconds: the length of the take.
    expressions: whether there are any; all else does not depend on it.
    speech: whether the person speaks half of the time.
    view: the camera.
  """

  def drawn(what):
    return np.random.default_rng([seed, *f'recording {what}'.encode()])

  person = identity.person(drawn('person'))
  texture = paint.texture(person.looks, drawn('paint')) @ studio.GREY
  n = round(seconds * CLOCK)
  units: dict[str, np.ndarray] = {}
  found = []
  if expressions:
    found = _expressions(units, n, person, drawn('expressions'))
  closed = nuisance.blinks(n, CLOCK, drawn('blinks'))
  for side in ('Left', 'Right'):
    units[f'eyeBlink{side}'] = closed
  if speech:
    _speak(units, n, drawn('speech'))
  return Take(
    scene=render.scene(person, texture, view),
    units=units,
    pose=nuisance.head(n, CLOCK, drawn('head')),
    gain=nuisance.flicker(n, CLOCK, drawn('light')),
    events=found,
    seed=seed,
  )


def frames(take: Take, times: Iterable[float]) -> Iterator[np.ndarray]:
  """Renders the frames of a take at some times, (H, W) uint8 each.

  Args:
    take: a take, from `plan`.
    times: seconds.
  """
  index = np.minimum(np.round(np.asarray([*times]) * CLOCK), len(take.gain) - 1)
  at = index.astype(int)
  units = {name: weight[at] for name, weight in take.units.items()}
  moments = render.surfaces(take.scene, units, take.pose[at])
  noise = np.random.default_rng([take.seed, *b'recording sensor'])
  for image in render.clip(take.scene, moments, take.gain[at], noise):
    yield image[..., 0]


def write(
  path: pathlib.Path,
  take: Take,
  fps: float,
  seconds: float,
  *,
  crf: int = 14,
) -> None:
  """Writes the video (H.264) and the table of its expressions beside it.

  Args:
    path: the video; the table is <name>.truth.csv.
    take: the motions, from `plan`.
    fps: frames a second.
    seconds: the length of the video.
    crf: quality of the coding, 0 (lossless) to 51.

  Raises:
    errors.UserError: PyAV is not installed.
    OSError: the file cannot be written.
  """
  try:
    import av
  except ImportError as error:
    raise errors.UserError(
      f'a video needs PyAV ({error}): pip install av'
    ) from None
  times = np.arange(round(seconds * fps)) / fps
  path.parent.mkdir(parents=True, exist_ok=True)
  with files.aside(path) as aside, av.open(str(aside), 'w') as container:
    images = progress_lines.over(
      frames(take, times), 'Rendering frames', len(times)
    )
    options = {'crf': str(crf), **SAME_BITS}
    encode(container, images, fps, take.scene.camera.size, options)
  rows = [
    (path.name, 1, *(f'{t:.3f}' for t in own[:3]), *own[3:])
    for own in take.events
  ]
  files.write_csv(path.with_suffix('.truth.csv'), HEADER, rows)


def encode(
  container: 'av.container.OutputContainer',
  images: Iterable[np.ndarray],
  fps: float,
  size: tuple[int, int],
  options: Mapping[str, str],
) -> None:
  """Adds a video (H.264) to a file that PyAV has opened.

  Args:
    container: the file.
    images: (H, W) uint8, grey.
    fps: frames a second.
    size: H and W.
    options: options of libx264.
  """
  import av

  rate = fractions.Fraction(fps).limit_denominator(1001)
  stream = container.add_stream('libx264', rate=rate)
  stream.height, stream.width = size
  stream.pix_fmt, stream.options = 'yuv420p', dict(options)
  for image in images:
    shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), 'gray')
    container.mux(stream.encode(shown))
  container.mux(stream.encode())


def _expressions(units, n, person, rng):
  """Adds expressions to the units; returns the events of `Take`."""
  found, at = [], round(rng.uniform(0.8, 1.6) * CLOCK)
  classes = ('negative', 'positive', 'surprise')
  while True:
    macro = bool(rng.random() < _MACRO)
    length = round(rng.uniform(*_SECONDS[macro]) * CLOCK)
    fade = round(_FADE * CLOCK)
    if at + length + fade >= n:
      return found
    emotion = str(rng.choice(classes))
    played = _play(emotion, length, macro, person, rng)
    for name, weight in emotions.face_units(played).items():
      if 'eyeLook' in name or 'eyeBlink' in name:
        continue
      tail = weight[-1] * np.linspace(1, 0, fade)
      own = units.setdefault(name, np.zeros(n))
      own[at : at + length] += weight
      own[at + length : at + length + fade] += tail
    moments = (at, at + played.apex, at + length - 1)
    kind = 'macro' if macro else 'micro'
    found.append((*(m / CLOCK for m in moments), emotion, kind))
    at += length + round(rng.uniform(*_PAUSE) * CLOCK)


def _play(emotion, length, macro, person, rng):
  low, middle, high = studio.MOTION
  motion = middle * person.strength * np.exp(rng.normal(0, 0.3))
  motion = np.clip(motion, low, high) / studio.MOTION_SCALE
  if macro:
    motion *= rng.uniform(*studio.MACRO)
  return emotions.perform(
    emotion,
    length,
    CLOCK,
    motion,
    person.asymmetry,
    expression=rng,
    nuisance=np.random.default_rng(rng.integers(2**31)),
  )


def _speak(units, n, rng):
  """Phrases of some seconds: syllables that open and round the mouth."""
  at = round(rng.uniform(0.5, 2) * CLOCK)
  while at < n:
    length = min(round(rng.uniform(1.5, 4) * CLOCK), n - at)
    edge = np.minimum(np.arange(length), np.arange(length)[::-1])
    loud = np.clip(edge / (0.15 * CLOCK), 0, 1)
    for name in _SPEECH:
      pace = nuisance.wander(length, CLOCK / rng.uniform(3, 5), rng)
      moved = rng.uniform(0.06, 0.16) * loud * np.maximum(pace, 0)
      sides = (name, name.replace('Left', 'Right'))
      for side in dict.fromkeys(sides):
        units.setdefault(side, np.zeros(n))[at : at + length] += moved
    at += length + round(rng.uniform(1.5, 4) * CLOCK)


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns its exit status."""
  return cli.status(lambda: _main(argv))


def _main(argv):
  args = _arguments().parse_args(argv)
  if not 1 <= args.seconds <= 3600 or not 1 <= args.fps <= CLOCK:
    raise errors.UserError(
      f'--seconds={args.seconds:g} --fps={args.fps:g}: seconds must be 1 to '
      f'3600, frames a second 1 to {CLOCK}'
    )
  take = plan(
    args.seed,
    args.seconds,
    expressions=not args.no_expressions,
    speech=args.speech,
  )
  write(args.out, take, args.fps, args.seconds)
  print(f'SYNTHETIC recording: {args.out}, {len(take.events)} expressions.')


def _arguments():
  parser = cli.Parser(
    prog='python -m mefnet_jax.synthetic.recording',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  add = parser.add_argument
  add('--out', type=outputs.file, required=True, help='a file such as talk.mp4')
  add('--seed', type=int, default=0)
  add('--seconds', type=float, default=20.0)
  add('--fps', type=float, default=30.0)
  add('--speech', action='store_true', help='the person speaks now and then')
  add('--no-expressions', action='store_true', help='for false events')
  return parser


if __name__ == '__main__':
  sys.exit(main())
