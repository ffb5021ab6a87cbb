"""The release used when none is given: a synthetic one, made once."""

import pathlib
import shutil
import typing

from mefnet_jax import errors
from mefnet_jax.datasets import cache, fingerprint
from mefnet_jax.preprocess import parallel

if typing.TYPE_CHECKING:
  from collections.abc import Mapping

  import rich.progress


def find(
  name: str,
  reading: 'Mapping[str, str]',
  *,
  multimodal: bool = False,
  workers: int = 0,
  progress: 'rich.progress.Progress | None' = None,
) -> pathlib.Path:
  """Returns the root of the synthetic release, which is made if needed.

  One process makes it while others wait; what a killed one left is removed.
  A change of the generator's code or assets makes a new one.

  Args:
    name: 'smic', 'cas_me2' or 'megc_flow'.
    reading: options of `releases.read`; those that ask for other images ask
      for another release.
    multimodal: with a sound and a transcript of each clip.
    workers: processes; 0 takes one a core.
    progress: a bar to add a task to; by default one on the terminal.

  Raises:
    errors.UserError: there is no synthetic release of this kind.
  """
  options = _options(name, reading)
  if multimodal:
    options['multimodal'] = True
  folder = cache.root() / 'synthetic'
  kind = '_'.join([name, *(str(v) for v in options.values())])
  done = folder / f'{kind}_{_generator()[:12]}'
  if (done / name / 'SYNTHETIC.txt').is_file():
    return done / name
  with cache.lock(folder / f'.{kind}.lock'):
    if not (done / name / 'SYNTHETIC.txt').is_file():
      with parallel.bar(progress) as shown:
        task = shown.add_task('Making a SYNTHETIC release', total=None)
        options |= {
          'processes': workers or None,
          'progress': lambda n, of: shown.update(task, completed=n, total=of),
        }
        _make(name, folder / f'.{kind}.incomplete', done, options)
  return done / name


def _make(name, aside, done, options):
  from mefnet_jax.synthetic import release

  for stray in (aside, done):
    shutil.rmtree(stray, ignore_errors=True)
  aside.mkdir()
  release.write(name, aside / name, seed=0, **options)
  aside.rename(done)


def _options(name, reading):
  if name == 'cas_me2':
    return {'macro': reading['expressions'] != 'micro'}
  if name == 'megc_flow':
    return {}
  if name == 'smic' and not reading['subset'].endswith('_long'):
    return {'subset': reading['subset']}
  what = 'the long clips of SMIC-E' if name == 'smic' else 'a folder of clips'
  raise errors.UserError(
    f'there is no synthetic release of {what}: give yours with '
    '--config.dataset.release'
  )


def _generator():
  """Hash of what makes synthetic releases."""
  return fingerprint.of_package('mefnet_jax.synthetic', '.py', '.npz')
