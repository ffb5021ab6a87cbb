"""The command `mefnet_jax.predict`, once its flags have been read."""

import contextlib
import dataclasses
import importlib
import pathlib
import sys
import typing
from collections.abc import Sequence

from mefnet_jax.runs import errors, escape, files

if typing.TYPE_CHECKING:
  from mefnet_jax.predict import expressions, face_finder, frames

_SLOWEST = 10  # frames a second; see `resample`


@dataclasses.dataclass(frozen=True)
class Options:
  """The flags of the same names; None for one that was not given."""

  out: str | None = None
  model: str = 'mefnet-zero'
  formats: Sequence[str] | None = None
  fps: float | None = None
  detector: str = 'dlib'
  overlay: bool = False
  camera: str | None = None
  record: bool = False
  serve: bool = False
  static: str | None = None
  port: int = 8765
  show_faces: bool = False
  plugin: Sequence[str] = ()


def run(paths: list[str], options: Options) -> int:
  """Predicts all videos, or serves the page, or watches the camera.

  Returns:
    The exit status: 1 if a video failed or the camera broke off, else 0.

  Raises:
    errors.UserError: options that exclude each other, a missing or damaged
      model, or a folder that cannot be written.
  """
  if options.serve:
    return _page(paths, options)
  if options.static is not None:
    raise errors.UserError('--static goes with --serve')
  if options.camera is not None:
    return _live(paths, options)
  _refuse(options, ('record',), 'a VIDEO')
  if not paths:
    raise errors.UserError('no VIDEO is named: see --help')
  if not options.out:
    raise errors.UserError('--out is missing: name a folder for the results')
  _check_formats(options)
  from mefnet_jax.predict import face_finder  # after the flags were checked

  with face_finder.started(options.detector) as find:
    failed = _each(paths, options, find)
  if failed and len(paths) > 1:
    print(f'{len(failed)} of {len(paths)} failed:', file=sys.stderr)
    for line in failed:
      print(f'  {line}', file=sys.stderr)
  return 1 if failed else 0


def _each(paths, options, find):
  """Predicts each video; returns a line for each that failed."""
  from mefnet_jax.predict import results

  out, scorer, failed = pathlib.Path(options.out).absolute(), None, []
  for path, stem in zip(paths, results.stems(paths), strict=True):
    try:
      # It is decoded while the model is loaded.
      with _opened(path, options) as source:
        scorer = scorer or _scorer(options)
        _predict(source, stem, out, scorer, options, find)
    except (errors.UserError, OSError) as error:
      if scorer is None and not isinstance(error, Unreadable):
        raise
      failed.append(_why(path, error, out))
      print(f'failed: {failed[-1]}', file=sys.stderr, flush=True)
  return failed


def _refuse(options, names, where):
  """Raises UserError for a flag that would have no effect."""
  for name in names:
    if getattr(options, name):
      flag = name.replace('_', '-')
      raise errors.UserError(f'--{flag} does not go with {where}')


def _page(paths, options):
  """Serves the page of --serve."""
  if paths or options.camera is not None:
    raise errors.UserError('a VIDEO or --camera cannot go with --serve')
  unused = ('out', 'formats', 'fps', 'overlay', 'record')
  _refuse(options, unused, '--serve, whose page offers all files')
  from mefnet_jax.predict.serve import app, jobs, static

  if options.static is not None:
    static.serve(options.static, options.port)
  else:
    app.serve(
      jobs.Task(options.model, options.show_faces, tuple(options.plugin)),
      options.port,
    )
  return 0


def _live(paths, options):
  """Watches the camera that --camera names."""
  if paths:
    raise errors.UserError(f'{paths[0]}: a VIDEO cannot go with --camera')
  _refuse(options, ('fps', 'overlay', 'show_faces'), '--camera')
  if options.record and not options.out:
    raise errors.UserError('--record needs --out, a folder for the files')
  if not options.record:  # the user would believe that it is recorded
    _refuse(options, ('out', 'formats'), '--camera without --record')
  _check_formats(options)
  from mefnet_jax.predict import face_finder, formats, live, live_camera
  from mefnet_jax.runs import legal_notices

  live_camera.check_device(options.camera)
  print(legal_notices.TEXT, file=sys.stderr, flush=True)
  with face_finder.started(options.detector) as find:
    if options.model != Options.model:
      more = legal_notices.training(options.model, _model(options).description)
      print(escape.terminal(more), file=sys.stderr, flush=True)
    camera = live.run(
      options.camera,
      _scorer(options, at_once=live.AT_ONCE),
      detector=options.detector,
      find=find,
      record=pathlib.Path(options.out) if options.record else None,
      which=tuple(options.formats or formats.FORMATS),
    )
  print(f'{escape.terminal(camera.name)}: {camera.dropped} frames dropped')
  for note in camera.notes:
    print(f'error: --camera={camera.path}: {note}', file=sys.stderr)
  return 1 if camera.notes else 0


class Unreadable(errors.UserError):
  """A video that cannot be read; others may be readable."""


@contextlib.contextmanager
def _opened(path, options):
  from mefnet_jax.predict import frames

  with contextlib.ExitStack() as stack:
    try:
      source = stack.enter_context(
        # The longest part of loading the model needs no video.
        frames.opened(path, options.fps, lambda: importlib.import_module('jax'))
      )
    except errors.UserError as error:
      raise Unreadable(str(error)) from error
    yield source


def _check_formats(options):
  if not options.formats:
    return  # their modules take a while to import
  from mefnet_jax.predict import formats

  for name in options.formats:
    if name not in formats.FORMATS:
      known = ', '.join(formats.FORMATS)
      raise errors.UserError(f'--formats={name}: must be of {known}')


def _scorer(options, at_once: int | None = None):
  import cv2

  from mefnet_jax.predict import scorers
  from mefnet_jax.runs import xla

  cv2.setNumThreads(1)  # crops are small; decoding needs the other core
  xla.prepare()
  return scorers.scorer(_model(options), at_once=at_once or scorers.AT_ONCE)


def _model(options):
  from mefnet_jax.predict import trained_model
  from mefnet_jax.runs import plugins

  plugins.load(options.plugin)
  return trained_model.load(options.model)


def _predict(
  source: 'frames.File',
  stem: str,
  out: pathlib.Path,
  scorer: 'expressions.Scorer',
  options: Options,
  find: 'face_finder.Find | None',
) -> None:
  """Writes the results of one video."""
  from mefnet_jax.predict import formats, progress, results, thumbnails, watch
  from mefnet_jax.predict.camera import measure, video_report

  meter = measure.Meter()
  which = tuple(options.formats or formats.FORMATS)
  with results.staged(out) as aside:
    found = results.Results(aside, stem, scorer.action_units)
    pictures = thumbnails.Pictures(show_faces=options.show_faces)
    with found, progress.bar(source) as update:
      for seen in watch.watch(
        source, scorer, detector=options.detector, find=find
      ):
        found.add(seen)
        if seen.frame is not None:
          update(seen.frame)
          video_report.add(meter, seen.frame, seen.faces)
          if seen.frame.image is not None:
            pictures.add(seen.frame.time, seen.frame.image, seen.faces)
    media = found.write(source.path, which)
    _draw(found, media, pictures.chosen, scorer)
    if options.overlay:
      _overlay(source.path, found, pictures.chosen, scorer, options)
  if not video_report.lacking(meter):
    for line in video_report.lines(video_report.of_file(meter, source)):
      print(f'{escape.terminal(media.name)}: {line}', flush=True)
  _print(source, found, media, pathlib.Path(str(options.out), stem))


def _draw(found, media, pictures, scorer):
  from mefnet_jax.predict import timeline

  timeline.draw(
    found.folder / f'{found.stem}.timeline.png',
    title=f'{media.name}: {_counts(found.events)}',
    duration=media.duration,
    signal=found.signal.of_faces(),
    pictures=pictures,
    events=found.events,
    classes=scorer.classes,
  )


def _overlay(path, found, pictures, scorer, options):
  from mefnet_jax.predict import frames, overlay, timeline
  from mefnet_jax.predict.formats import csv_files

  place = found.folder / found.stem
  with frames.opened(path, options.fps) as again:
    overlay.write(
      pathlib.Path(f'{place}.overlay.mp4'),
      pathlib.Path(f'{place}{csv_files.FRAMES}'),
      again,
      found.events,
      pictures,
      timeline.colours_of(scorer.classes),
      show_faces=options.show_faces,
    )


def _print(source, found, media, place):
  """Prints one line for the video, and one for each of its oddities."""
  name = escape.terminal(media.name)
  print(
    f'{name}: {len(found.times)} frames, {media.duration:.1f} s, '
    f'{_counts(found.events)}: {escape.terminal(place)}.*',
    flush=True,
  )
  notes = list(source.notes)
  if found.without:
    notes.append(f'no face in {found.without} frames')
  if len(found.times) > 1 and media.fps < _SLOWEST:
    rate = f'{media.fps:.3g} frames a second'
    notes.append(f'{rate}: below {_SLOWEST} nothing is found')
  for note in notes:
    print(f'  {name}: {escape.terminal(note)}', flush=True)


def _counts(found):
  micro = sum(one.kind == 'micro' for one in found)
  return f'{micro} micro- and {len(found) - micro} macro-expressions'


def _why(path, error, out):
  """One line that names the video."""
  text = escape.terminal(error)
  if isinstance(error, OSError):
    # The video is read in another process: without a name, it was a write.
    where = pathlib.Path(error.filename or out)
    mend = files.remedy(error, where, 'name another --out')
    text = f'{where}: {error.strerror or error}: {mend}'
  return text if str(path) in text else f'{path}: {text}'
