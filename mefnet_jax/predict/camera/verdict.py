"""One sentence about a recording: the share found, and what would help."""

import dataclasses
import typing

from mefnet_jax.predict.camera import measure, study

FAR, LONG = 0.5, 0.2  # pixels and seconds of the default movement
_GAIN = 0.05  # least gain of the recall that is worth advising


class Verdict(typing.NamedTuple):
  """The verdict on a recording.

  Attributes:
    line: the sentence.
    camera: the recording in the values of the study.
    outside: its values outside the study; if there are any, `line` has no
      recalls.
  """

  line: str
  camera: study.Camera
  outside: list[str]


def verdict(
  measured: measure.Measured, far: float = FAR, long: float = LONG
) -> Verdict:
  """The verdict on a recording.

  Args:
    measured: its measurements.
    far, long: the movement that is asked about, in pixels and seconds, within
      those of the study.
  """
  known = study.load()
  camera, outside = known.camera(measured)
  seen = (
    f'at {measured.fps:.3g} fps and {measured.eyes:.0f} px between the eyes'
  )
  if outside:
    return Verdict(
      f'{seen} nothing is known of the share found: {", ".join(outside)}',
      camera,
      outside,
    )
  first, *others = study.ACTIONS
  recalls = [
    f'{study.ACTIONS[first][1]} of {far:g} px and {long:g} s are found in '
    f'{known.recall(camera, [first], far, long)}'
  ]
  recalls += [
    f'{study.ACTIONS[name][1]} in '
    f'{round(100 * known.recall(camera, [name], far, long).value)} %'
    for name in others
  ]
  line = (
    f'{seen}, {", ".join(recalls)} of SYNTHETIC faces, at one false event '
    'a minute'
  )
  return Verdict(f'{line}; {_advice(known, camera, far, long)}', camera, [])


def _advice(known, camera, far, long):
  """The one change that helps most, for the first action."""
  action = [next(iter(study.ACTIONS))]
  now = known.recall(camera, action, far, long).value
  best, gain = 'no single change would give much more', _GAIN
  for words, other, moved in _changes(known, camera, far):
    value = known.recall(other, action, moved, long).value
    if value - now > gain:
      best, gain = f'{words} would give {round(100 * value)} %', value - now
  return best


def _changes(known, camera, far):
  """Yields (words, camera, amplitude) for each change that a lab could make."""
  limits = known.table['range']
  fps = 2 * camera.fps
  if fps <= 1.03 * limits['fps'][1]:
    yield f'{fps:.3g} fps', dataclasses.replace(camera, fps=fps), far
  eyes = 2 * camera.eyes
  if eyes <= limits['eyes'][1] and 2 * far <= known.amplitudes[-1]:
    # The same movement then is twice as many pixels.
    larger = dataclasses.replace(camera, eyes=eyes)
    yield 'a face twice as large', larger, 2 * far
  finest = limits['quantiser'][0]
  if camera.quantiser > finest + 1:
    finer = dataclasses.replace(camera, quantiser=finest)
    yield f'a quantiser of {finest:.0f}', finer, far
