r"""Finds expressions in videos of faces: whose, when, which, and how likely.

python -m mefnet_jax.predict interview.mp4 --out=out
python -m mefnet_jax.predict a.mp4 b.mov --out=out --formats=csv,eaf --overlay
python -m mefnet_jax.predict frames/ --fps=200 --out=out --model=runs/mfcnn
python -m mefnet_jax.predict --camera=0 [--record --out=out]
python -m mefnet_jax.predict --serve

For each VIDEO --out gets NAME.events.csv, NAME.frames.csv, NAME.eaf (ELAN), the
other --formats, and NAME.timeline.png. See docs/predict.md.
"""

import dataclasses
import typing

from absl import flags

from mefnet_jax.predict import command
from mefnet_jax.runs import cli, outputs, plugins, stopping

outputs.DEFINE_folder('out', None, 'Folder of the results.')
flags.DEFINE_string(
  'model',
  command.Options.model,
  'Name of a model that ships with the package, a run, or a model folder.',
)
plugins.DEFINE_files('plugin')
flags.DEFINE_list(
  'formats',
  None,
  'Any of csv, eaf, textgrid, boris, vtt and megc; all by default.',
)
flags.DEFINE_float(
  'fps',
  None,
  'Frames a second: of a folder of images, or of a video that was recorded '
  'faster than it is stored.',
)
flags.DEFINE_string(
  'detector', command.Options.detector, 'dlib, insightface or insightface:NAME.'
)
flags.DEFINE_bool(
  'overlay', False, 'Write NAME.overlay.mp4: boxes, outlines and events.'
)
flags.DEFINE_string(
  'camera', None, 'Watch a camera (0: the first), or anything PyAV opens.'
)
flags.DEFINE_bool(
  'record', False, 'With --camera: write the files of a video into --out.'
)
flags.DEFINE_bool(
  'serve', False, 'Serve a page on this machine that takes videos.'
)
flags.DEFINE_string(
  'static',
  None,
  'With --serve: a folder that mefnet_jax.predict.browser wrote, whose page '
  'runs the model in the browser.',
)
flags.DEFINE_integer('port', command.Options.port, 'Port of --serve.')
flags.DEFINE_bool(
  'show-faces',
  False,
  'Show the frames in the timeline, the overlay and the page; by default they '
  'show outlines alone, so that they can be passed on.',
)


def main(paths: list[str]) -> int:
  """Runs the command with its flags; returns the exit status.

  Args:
    paths: the positional arguments.

  Raises:
    errors.UserError: as `command.run`.
  """
  given = flags.FLAGS
  # By name: a flag without its option, or the reverse, fails at once.
  options: dict[str, typing.Any] = {
    field.name: given[field.name.replace('_', '-')].value
    for field in dataclasses.fields(command.Options)
  }
  with stopping.as_interrupts():
    return command.run(paths, command.Options(**options))


if __name__ == '__main__':
  _PATHS = cli.positional_arguments()
  cli.run(lambda: main(_PATHS))
