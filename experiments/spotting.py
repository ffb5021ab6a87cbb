r"""Spotting in rendered long videos: mefnet-zero and a classical detector.

python -m experiments.spotting --out=spotting --choose
python -m experiments.spotting --out=spotting

The videos are those of `synthetic.release --layout=cas_me2 --macro --rawpic`.
Thresholds are chosen (--choose) on people of CHOOSING seeds alone, and scored
on people of REPORTING seeds. False events a minute are counted on recordings in
which nobody shows an expression, with and without speech, and on a photograph
of a real face that is moved. What has been rendered stays in --out and is not
rendered again. SYNTHETIC, but for the photograph.
"""

import dataclasses
import functools
import itertools
import json
import pathlib
import sys

import cv2
import numpy as np

from experiments import main_direction, photograph, seals
from mefnet_jax.evaluation import spotting
from mefnet_jax.predict import (
  events,
  expressions,
  frames,
  resample,
  scorers,
  thresholds,
  track,
  trained_model,
)
from mefnet_jax.preprocess import face_crop, motion_map
from mefnet_jax.runs import cli, files, outputs
from mefnet_jax.synthetic import cas_me2, recording, studio, workers
from mefnet_jax.synthetic import video as long_videos

# Subjects, and the shortest of their long videos, of each seed.
CHOOSING = {9101: (5, 8), 9102: (5, 8)}
REPORTING = dict.fromkeys((9601, 9602, 9603, 9604), (10, 12))
QUIET = ('rest', 'speech', 'photograph')
QUIET_SECONDS = 15.0  # without an expression, of a person of each seed
GRID = {
  'amplitude': (0.006, 0.009),
  'confidence': (0.6, 0.8, 0.9),
}
ENERGY = (0.01, 0.02)


@dataclasses.dataclass(frozen=True)
class Video:
  """The crops of a rendered video, and its truth.

  Attributes:
    name, subject: unique.
    numbers: (n,) cells; crops (n, S, S); places (n, 3), see `expressions.Cell`.
    truth: onset, offset in seconds, emotion.
  """

  name: str
  subject: str
  numbers: np.ndarray
  crops: np.ndarray
  places: np.ndarray
  truth: list[tuple[float, float, str]]

  @property
  def minutes(self) -> float:
    """Its length."""
    return len(self.numbers) * resample.CELL / 60


def main() -> int:
  """Chooses, or scores; returns the exit status."""
  parser = cli.Parser(description=cli.first_line(__doc__))
  parser.add_argument('--out', type=outputs.folder, required=True)
  parser.add_argument('--choose', action='store_true')
  args = parser.parse_args()
  cv2.setNumThreads(1)
  args.out.mkdir(parents=True, exist_ok=True)
  zero = scorers.scorer(trained_model.load(scorers.ZERO))
  energy = main_direction.MainDirection()
  if args.choose:
    videos = [v for s in CHOOSING for v in rendered(args.out, s)]
    _choose(videos, zero, energy)
    return 0
  videos = [v for s in REPORTING for v in rendered(args.out, s)]
  quiet = {
    what: [_quiet(args.out, s, what) for s in REPORTING] for what in QUIET
  }
  found = {
    'data': 'SYNTHETIC, and a photograph',
    'mefnet-zero': _reported(videos, quiet, zero, thresholds.CHOSEN),
    'main direction': _reported(videos, quiet, energy, main_direction.LIMITS),
  }
  files.write_json(args.out / 'spotting.json', found)
  print(json.dumps(found, indent=1))
  return 0


def rendered(out: pathlib.Path, seed: int) -> list[Video]:
  """The long videos of a release, rendered if they are not there yet."""
  subjects, count = (CHOOSING | REPORTING)[seed]
  plan = cas_me2.plan(seed, subjects=subjects, macro=True, rawpic=count)
  root = out / f'videos{seed}'
  sizes = {'seed': seed, 'subjects': subjects, 'rawpic': count}
  seals.once(root, sizes, lambda root: _render(root, plan.videos, seed))
  made = []
  for film in sorted(plan.videos, key=lambda film: film.folder):
    folder = root / film.folder
    name = f'{seed}_{folder.name}'
    made.append(_video(out, name, folder, cas_me2.FPS, _truth(film)))
  return made


def spotted(
  video: Video, scorer: expressions.Scorer, limits: thresholds.Thresholds
) -> list[expressions.Found]:
  """Returns the events that are found in a video."""
  spotter, found = events.Spotter(scorer, limits, flow=_flow), []
  for number, crop, place in zip(
    video.numbers, video.crops, video.places, strict=True
  ):
    found += spotter.push(int(number), expressions.Cell(crop, place))[1]
  return found + spotter.finish()[1]


_FLOWS: dict[tuple[int, int], tuple[np.ndarray, ...]] = {}


def _flow(first, second):
  """The flow between two crops of a video, computed once."""
  key = first.ctypes.data, second.ctypes.data
  if key not in _FLOWS:
    # The crops are held too: another array must not take their place.
    _FLOWS[key] = motion_map.between(first, second), first, second
  return _FLOWS[key][0]


def _render(root, videos, seed):
  """Renders long videos and the expressions in them, and nothing else."""
  with files.aside(root) as aside:
    aside.mkdir(parents=True)
    film = functools.partial(_film, root=aside, seed=seed)
    for _ in workers.each(film, videos, None):
      pass


def _film(film, root, seed):
  """Renders a long video, in a worker process."""
  for shot in film.shots:
    truth = root / 'truth'
    truth.mkdir(exist_ok=True)
    studio.film(shot, root, truth, seed)
  long_videos.film(film, root, seed)


def _truth(film):
  """Expressions in a long video; frame n is shown at (n - 1) / FPS."""
  made = []
  for shot in film.shots:
    onset, offset = ((shot.numbers[k] - 1) / cas_me2.FPS for k in (0, -1))
    made.append((onset, offset, shot.emotion))
  return made


def _quiet(out, seed, what):
  """A recording in which nobody shows an expression."""
  path = out / f'quiet{seed}_{what}.mp4'

  def record(path):
    fps, seconds = cas_me2.FPS, QUIET_SECONDS
    if what == 'photograph':
      photograph.write(path, seed=seed, fps=fps, seconds=seconds)
    else:
      speech = what == 'speech'
      take = recording.plan(seed, seconds, expressions=False, speech=speech)
      recording.write(path, take, fps, seconds)

  made_by = {'seed': seed, 'speech': what, 'seconds': QUIET_SECONDS}
  seals.once(path, made_by, record)
  return _video(out, path.stem, path, None, [])


def _video(out, name, path, fps, truth):
  """A video's crops, kept in a file."""
  kept = out / 'crops' / f'{name}.npz'

  def cut(kept):
    kept.parent.mkdir(exist_ok=True)
    with files.aside(kept) as aside:
      np.savez(aside, **_crops(path, fps))

  seals.once(kept, {'name': name, 'video': seals.digest(path)}, cut)
  with np.load(kept) as arrays:
    return Video(name, '_'.join(name.split('_')[:2]), **arrays, truth=truth)


def _crops(path, fps):
  """Crops of the first face, on an even clock."""
  tracker, clock, cells = track.Tracker(), resample.Clock(), []
  place = np.zeros(3)

  def add(made):
    for number, crop in made:
      cells.append((number, crop, place))

  with frames.opened(path, fps) as source:
    for frame in source:
      for sighting in tracker.step(frame.image, frame.time)[:1]:
        place = sighting.head
        crop = face_crop.cut(frame.image, sighting.crop)
        add(clock.push(frame.time, crop))
  add(clock.finish())
  numbers, crops, places = (np.stack(x) for x in zip(*cells, strict=True))
  return {'numbers': numbers, 'crops': crops, 'places': places}


def _choose(videos, zero, energy):
  """Prints the thresholds of the best F1, and those near it."""
  tried = []
  for values in itertools.product(*GRID.values()):
    limits = dataclasses.replace(
      thresholds.CHOSEN, **dict(zip(GRID, values, strict=True))
    )
    tried.append((_f1(videos, zero, limits), values))
    print(f'  F1 {tried[-1][0]:.3f}', values, flush=True)
  tried.sort(reverse=True)
  print('mefnet-zero', tuple(GRID))
  for f1, values in tried[:12]:
    print(f'  F1 {f1:.3f}', values)
  print('main direction')
  for least in ENERGY:
    limits = dataclasses.replace(
      main_direction.LIMITS, candidate=least, amplitude=least
    )
    print(f'  F1 {_f1(videos, energy, limits):.3f}', least)


def _f1(videos, scorer, limits):
  return _scored(videos, scorer, limits, draws=1)['kind ignored']['f1']


def _reported(videos, quiet, scorer, limits):
  """Scores of a detector, and its false events a minute."""
  made = _scored(videos, scorer, limits)
  made['minutes'] = sum(v.minutes for v in videos)
  for what, own in quiet.items():
    minutes = sum(v.minutes for v in own)
    false = sum(len(spotted(v, scorer, limits)) for v in own)
    made[f'{what}, false a minute'] = false / minutes
    made[f'{what}, minutes'] = minutes
  return made


def _scored(videos, scorer, limits, draws=2000):
  """Scores by the rules of the MEGC, in seconds."""
  truths, spotted_events = [], []
  for video in videos:
    for onset, offset, emotion in video.truth:
      kind = spotting.kind(offset - onset)
      truths.append(
        spotting.Interval(
          video.subject, video.name, onset, offset, kind, emotion
        )
      )
    for one in spotted(video, scorer, limits):
      chances = one.answer.probabilities
      label = max(chances, key=chances.get) if chances else ''
      kind = spotting.kind(one.offset - one.onset)
      spotted_events.append(
        spotting.Interval(
          video.subject, video.name, one.onset, one.offset, kind, label
        )
      )
  counted = spotting.count(truths, spotted_events, frames=False)
  made = spotting.scores(counted, draws=draws)
  return {**made.pop('spotting'), **made}


if __name__ == '__main__':
  sys.exit(cli.status(main))
