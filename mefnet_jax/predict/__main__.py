r"""Finds expressions in videos of faces: who, when, which, and how sure.

python -m mefnet_jax.predict interview.mp4 --out=out
python -m mefnet_jax.predict a.mp4 b.mov --out=out --formats=csv,eaf --overlay
python -m mefnet_jax.predict frames/ --fps=200 --out=out --model=runs/mfcnn
python -m mefnet_jax.predict --camera=0 [--record --out=out]
python -m mefnet_jax.predict --serve

Of each VIDEO --out gets NAME.events.csv, NAME.frames.csv, NAME.eaf (ELAN), the
other --formats, and NAME.timeline.png. See docs/predict.md.
"""

import contextlib
import pathlib
import sys
import typing

from absl import flags

from mefnet_jax.runs import clean, cli, errors

if typing.TYPE_CHECKING:
  from mefnet_jax.predict import expressions, frames

_OUT = flags.DEFINE_string('out', None, 'Folder of the results.')
_MODEL = flags.DEFINE_string(
  'model',
  'mefnet-zero',
  'Name of a model that ships with the package, a run, or a model folder.',
)
_FORMATS = flags.DEFINE_list(
  'formats', None, 'Of csv, eaf, textgrid, boris, vtt and megc; all by default.'
)
_FPS = flags.DEFINE_float(
  'fps',
  None,
  'Frames a second of a folder of images; of a video that was recorded faster '
  'than its file says.',
)
_DETECTOR = flags.DEFINE_string(
  'detector', 'dlib', 'dlib, insightface or insightface:NAME.'
)
_OVERLAY = flags.DEFINE_bool(
  'overlay', False, 'Write NAME.overlay.mp4: boxes, outlines and events.'
)
_CAMERA = flags.DEFINE_string(
  'camera', None, 'Watch a camera (0: the first), or whatever PyAV opens.'
)
_RECORD = flags.DEFINE_bool(
  'record', False, 'With --camera: write into --out what a video would get.'
)
_SERVE = flags.DEFINE_bool(
  'serve', False, 'Serve a page on this machine where videos are dropped.'
)
_PORT = flags.DEFINE_integer('port', 8765, 'Of --serve.')
_FACES = flags.DEFINE_bool(
  'show-faces',
  False,
  'Show the frames in the timeline and the overlay; by default they show '
  'outlines alone, so that they can be passed on.',
)


def main(paths: list[str]) -> int:
  """Predicts all videos; returns 1 if one of them failed."""
  if _SERVE.value:
    return _page(paths)
  if _CAMERA.value is not None:
    return _live(paths)
  if not paths:
    raise errors.UserError('no VIDEO is named: see --help')
  if not _OUT.value:
    raise errors.UserError('--out is missing: name a folder for the results')
  _check_formats()
  from mefnet_jax.predict import results  # after the flags were checked

  out, scorer, failed = pathlib.Path(_OUT.value).absolute(), None, []
  for path, stem in zip(paths, results.stems(paths), strict=True):
    try:
      with _opened(path) as source:  # decodes while the model is loaded
        scorer = scorer or _scorer()
        _predict(source, stem, out, scorer)
    except (errors.UserError, OSError) as error:
      if scorer is None and not isinstance(error, Unreadable):
        raise
      failed.append(_why(path, error))
      print(f'failed: {failed[-1]}', file=sys.stderr, flush=True)
  if failed and len(paths) > 1:
    print(f'{len(failed)} of {len(paths)} failed:', file=sys.stderr)
    for line in failed:
      print(f'  {line}', file=sys.stderr)
  return 1 if failed else 0


def _page(paths):
  """Serves the page of --serve."""
  if paths or _CAMERA.value is not None:
    raise errors.UserError('a VIDEO or --camera cannot go with --serve')
  from mefnet_jax.predict.serve import app

  app.serve(_MODEL.value, _PORT.value)
  return 0


def _live(paths):
  """Watches the camera that --camera names."""
  if paths:
    raise errors.UserError(f'{paths[0]}: a VIDEO cannot go with --camera')
  if _RECORD.value and not _OUT.value:
    raise errors.UserError('--record needs --out, a folder for the files')
  _check_formats()
  from mefnet_jax.predict import formats, live
  from mefnet_jax.runs import limits

  print(limits.TEXT, file=sys.stderr, flush=True)
  camera = live.run(
    _CAMERA.value,
    _scorer(),
    detector=_DETECTOR.value,
    record=pathlib.Path(_OUT.value) if _RECORD.value else None,
    which=tuple(_FORMATS.value or formats.FORMATS),
  )
  print(f'{clean.terminal(camera.name)}: {camera.dropped} frames dropped')
  for note in camera.notes:
    print(f'error: --camera={camera.path}: {note}', file=sys.stderr)
  return 1 if camera.notes else 0


class Unreadable(errors.UserError):
  """A video that cannot be read; the others may be."""


@contextlib.contextmanager
def _opened(path):
  from mefnet_jax.predict import frames

  with contextlib.ExitStack() as stack:
    try:
      source = stack.enter_context(frames.opened(path, _FPS.value))
    except errors.UserError as error:
      raise Unreadable(str(error)) from error
    yield source


def _check_formats():
  from mefnet_jax.predict import formats

  for name in _FORMATS.value or ():
    if name not in formats.FORMATS:
      known = ', '.join(formats.FORMATS)
      raise errors.UserError(f'--formats={name}: must be of {known}')


def _scorer() -> 'expressions.Scorer':
  import cv2

  from mefnet_jax.predict import model, scorers
  from mefnet_jax.runs import xla

  cv2.setNumThreads(1)  # crops are small; decoding needs the other core
  xla.prepare()
  return scorers.scorer(model.load(_MODEL.value))


def _predict(
  source: 'frames.File',
  stem: str,
  out: pathlib.Path,
  scorer: 'expressions.Scorer',
) -> None:
  """Writes the results of one video."""
  from mefnet_jax.predict import formats, progress, results, thumbnails, watch

  which = tuple(_FORMATS.value or formats.FORMATS)
  with results.aside(out) as aside:
    made = results.Results(aside, stem, scorer.action_units)
    pictures = thumbnails.Pictures(show_faces=_FACES.value)
    with made, progress.bar(source) as update:
      for seen in watch.watch(source, scorer, detector=_DETECTOR.value):
        made.add(seen)
        if seen.frame is not None:
          update(seen.frame)
          if seen.frame.image is not None:
            pictures.add(seen.frame.time, seen.frame.image, seen.faces)
    media = made.write(source.path, which)
    _draw(made, media, pictures.kept, scorer, f'{aside / stem}.timeline.png')
    if _OVERLAY.value:
      _overlay(source.path, made, pictures.kept, scorer)
  _say(source, made, media, pathlib.Path(str(_OUT.value), stem))


def _draw(made, media, pictures, scorer, path):
  from mefnet_jax.predict import timeline

  timeline.draw(
    pathlib.Path(path),
    title=f'{media.name}: {_counts(made.events)}',
    duration=media.duration,
    signal=made.signal.of_faces(),
    pictures=pictures,
    events=made.events,
    classes=scorer.classes,
  )


def _overlay(path, made, pictures, scorer):
  from mefnet_jax.predict import frames, overlay, timeline
  from mefnet_jax.predict.formats import csv_files

  place = made.folder / made.stem
  with frames.opened(path, _FPS.value) as again:
    overlay.write(
      pathlib.Path(f'{place}.overlay.mp4'),
      pathlib.Path(f'{place}{csv_files.FRAMES}'),
      again,
      made.events,
      pictures,
      timeline.colours_of(scorer.classes),
      show_faces=_FACES.value,
    )


def _say(source, made, media, place):
  """One line a video, and one for each thing that was odd about it."""
  name = clean.terminal(media.name)
  print(
    f'{name}: {len(made.times)} frames, {media.duration:.1f} s, '
    f'{_counts(made.events)}: {clean.terminal(place)}.*',
    flush=True,
  )
  notes = list(source.notes)
  if made.without:
    notes.append(f'no face in {made.without} frames')
  if made.times and len(made.times) > 1 and media.fps < _SLOWEST:
    notes.append(
      f'{media.fps:.3g} frames a second: below {_SLOWEST} nothing is found'
    )
  for note in notes:
    print(f'  {name}: {clean.terminal(note)}', flush=True)


_SLOWEST = 10  # frames a second; see `resample`


def _counts(found):
  micro = sum(one.kind == 'micro' for one in found)
  return f'{micro} micro- and {len(found) - micro} macro-expressions'


def _why(path, error):
  """One line that names the video."""
  text = clean.terminal(error)
  if isinstance(error, OSError):
    text = f'{error.filename or path}: {error.strerror or error}'
  return text if str(path) in text else f'{path}: {text}'


if __name__ == '__main__':
  _PATHS = cli.positional_arguments()
  cli.run(lambda: main(_PATHS))
