"""Measures the camera of a video, and reports what it can show."""

import dataclasses
import pathlib
import typing

from mefnet_jax.predict import frames, track
from mefnet_jax.predict.camera import chart, measure, study, verdict
from mefnet_jax.runs import errors, escape, files

LEAST = 25  # frames with a face that a verdict needs
_SECONDS = 1.0  # and the time that they must span


def measured(
  path: str, fps: float | None = None, detector: str = 'dlib'
) -> measure.Measured:
  """Measures the first frames of a video, by its first face.

  Args:
    path: a video, or a folder of images.
    fps: frames a second, overriding the file's; a folder needs it.
    detector: face detector.

  Raises:
    errors.UserError: the video cannot be read, is too short, or has no face.
  """
  tracker, meter = track.Tracker(detector), measure.Meter()
  with frames.opened(path, fps) as source:
    for frame in source:
      add(meter, frame, [] if frame.image is None else _faces(tracker, frame))
      if meter.is_full:
        break
    if reason := lacking(meter):
      raise errors.UserError(f'{path}: {reason}')
    return of_file(meter, source)


def _faces(tracker, frame):
  return tracker.step(frame.image, frame.time)


def add(
  meter: measure.Meter,
  frame: frames.Frame,
  faces: typing.Sequence[track.Sighting],
) -> None:
  """Adds a frame, with the first of its faces, to a meter."""
  first = faces[0] if faces else None
  meter.push(
    frame.time,
    frame.image,
    first.eyes if first else None,
    first.box if first else None,
  )


def lacking(meter: measure.Meter) -> str:
  """Why there is too little for a verdict; '' if there is enough."""
  if not meter.faces:
    return (
      f'no face in the first {meter.frames} frames, so nothing can be '
      'estimated: is it too small, or turned away?'
    )
  if meter.faces < LEAST or meter.seconds < _SECONDS:
    return (
      f'too short: {meter.faces} frames with a face in {meter.seconds:.2f} s; '
      f'{LEAST} frames and {_SECONDS:g} s are needed'
    )
  return ''


def of_file(meter: measure.Meter, source: frames.File) -> measure.Measured:
  """The measurements of a file."""
  return meter.measured(
    quantiser=source.quantiser, path=source.path, frames=source.expected
  )


def lines(
  found: measure.Measured,
  far: float = verdict.FAR,
  long: float = verdict.LONG,
) -> list[str]:
  """The verdict, and one line for each condition that it ignores.

  Args:
    found: the measurements.
    far, long: the movement that is asked about, in pixels and seconds.
  """
  lines = [verdict.verdict(found, far, long).line]
  if found.is_variable:
    lines.append(
      f'the time between frames varies by {100 * found.jitter:.0f} %: the '
      'study used constant intervals'
    )
  if found.tree:
    lines.append(
      'x264 coded it with its macroblock tree, which the study did not use: '
      'more is found than at this quantiser there'
    )
  if found.flicker:
    lamps = f', lamps on {found.lamps} mains' if found.lamps else ''
    lines.append(
      f'the light flickers by {100 * found.flicker:.1f} % at '
      f'{found.flicker_hz:.1f} Hz{lamps}; in the study it did not'
    )
  return [escape.terminal(line) for line in lines]


def write(
  out: pathlib.Path,
  video: str,
  found: measure.Measured,
  far: float = verdict.FAR,
  long: float = verdict.LONG,
) -> None:
  """Writes camera.json and camera.png.

  Args:
    out: the folder; made if it is missing.
    video: path of the video.
    found: the measurements.
    far, long: the movement that is asked about, in pixels and seconds.

  Raises:
    errors.UserError: the folder cannot be written.
  """
  given = verdict.verdict(found, far, long)
  known = study.load()
  content = {
    'video': str(video),
    'verdict': given.line,
    'SYNTHETIC': 'recalls are those of rendered faces',
    'measured': dataclasses.asdict(found),
    'camera': dataclasses.asdict(given.camera),
    'outside': given.outside,
    'recall': [] if given.outside else table(known, given.camera),
    'study': {key: known.table[key] for key in ('made', 'people', 'minutes')},
  }
  try:
    out.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    mend = files.remedy(error, out, 'name another folder')
    raise errors.UserError(f'--out={out}: {error.strerror}: {mend}') from None
  files.write_json(out / 'camera.json', content)
  files.write(out / 'camera.png', chart.png(pathlib.Path(video).name, content))


def table(known: study.Study, camera: study.Camera) -> list[dict]:
  """The recall of each action unit and class, by movement of the study."""
  classes: dict[str, list[str]] = {}
  for name, (label, _) in study.ACTIONS.items():
    classes.setdefault(label, []).append(name)
  rows = []
  for kind, groups in (
    ('action', {name: [name] for name in study.ACTIONS}),
    ('class', classes),
  ):
    for name, actions in groups.items():
      for long in known.durations:
        for far in known.amplitudes:
          recall = known.recall(camera, actions, far, long)
          rows.append(
            {
              kind: name,
              'amplitude': far,
              'duration': long,
              **{k: round(x, 3) for k, x in recall._asdict().items()},
            }
          )
  return rows
