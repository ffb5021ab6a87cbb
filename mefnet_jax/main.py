"""Trains and evaluates a config: all folds, then the report.

python -m mefnet_jax.main --config=configs/mfcnn.py --workdir=runs/mfcnn
"""

import contextlib
import pathlib
import sys

from absl import flags
from ml_collections import config_flags

from mefnet_jax.runs import cli, config_flag, outputs, stopping

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'A file of configs/, with its variant after a colon.'
)
_WORKDIR = outputs.DEFINE_folder(
  'workdir', None, 'Folder of the run; runs/<config> if not given.'
)
_PREVIEW = flags.DEFINE_bool(
  'preview', False, 'Write contact sheets of prepared clips, train nothing.'
)
_SHOW_FACES = flags.DEFINE_bool(
  'show-faces', False, 'With --preview: the faces of real people too.'
)
_QUIET = flags.DEFINE_bool('quiet', False, 'Only the closing table.')
_DETERMINISTIC = flags.DEFINE_bool(
  'deterministic', True, 'The same bits each time on a GPU too; costs a little.'
)
_COORDINATOR = flags.DEFINE_string(
  'coordinator',
  None,
  'Several processes train one run: host:port of the first, or auto (SLURM).',
)
_PROCESSES = flags.DEFINE_integer('processes', 1, 'Number of processes.')
_PROCESS = flags.DEFINE_integer('process', 0, 'Number of this process, from 0.')


def main() -> None:
  """Runs the config of the flags, or resumes the run in its workdir."""
  config = config_flag.read(_CONFIG, 'say what to run')
  from mefnet_jax.runs import multihost, xla
  from mefnet_jax.training import config_check

  # Before anything touches a device: XLA reads its flags only once.
  xla.prepare(deterministic=_DETERMINISTIC.value)
  multihost.start(_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)
  kernels = config_check.settle(config)
  # Imported only now: an error in the flags or the config is then reported
  # without waiting for the clips' and the networks' libraries.
  import rich.console

  from mefnet_jax import datasets, protocol
  from mefnet_jax.runs import process_watch, workdirs

  workdir = pathlib.Path(_WORKDIR.value or _default_workdir())
  if _PREVIEW.value:
    for sheet in datasets.preview(
      config.dataset, workdir / 'preview', show_faces=_SHOW_FACES.value
    ):
      print(sheet)
    return
  with contextlib.ExitStack() as stack:
    stack.enter_context(process_watch.guarded())
    if multihost.is_first():
      stack.enter_context(workdirs.locked(workdir))
      workdirs.claim(config, workdir)
    stop = stack.enter_context(stopping.signals())
    speaks = multihost.is_first() and not _QUIET.value
    console = rich.console.Console(
      soft_wrap=not sys.stdout.isatty(), quiet=not speaks
    )
    console.print(f'kernels: {kernels}', markup=False)
    protocol.run(config, workdir, console=console, stop=stop)
  if multihost.is_first():
    console.quiet = False
    console.print(f'report: {workdir / "report.html"}')


def _default_workdir():
  """configs/mfcnn.py:intermediate runs in runs/mfcnn-intermediate."""
  file, _, variant = flags.FLAGS['config'].config_filename.partition(':')
  words = [pathlib.Path(file).stem, *variant.split(',')]
  return pathlib.Path('runs') / '-'.join(word for word in words if word)


if __name__ == '__main__':
  cli.run(main)
