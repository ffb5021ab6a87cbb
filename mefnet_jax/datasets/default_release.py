"""The release that is used when none is named: a synthetic one, made once."""

import pathlib
import typing

from mefnet_jax.datasets import fingerprint, registry
from mefnet_jax.preprocess import pool
from mefnet_jax.runs import cache, errors, files

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

  One process makes it while others wait; files that a killed process has left
  are removed. A change of the generator's code or assets makes a new one.

  Args:
    name: 'smic', 'cas_me2' or 'megc_flow'.
    reading: options of `registry.read`; those that ask for other images ask
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
  # Asked again under the lock, because another process may have made it while
  # this one waited.
  if (done / name / 'SYNTHETIC.txt').is_file():
    return done / name
  with cache.lock(folder / f'.{kind}.lock'):
    if not (done / name / 'SYNTHETIC.txt').is_file():
      with pool.bar(progress) as shown:
        task = shown.add_task('Making a SYNTHETIC release', total=None)
        options |= {
          'processes': workers or None,
          'progress': lambda n, of: shown.update(task, completed=n, total=of),
        }
        _make(name, done, options)
  return done / name


def _make(name, done, options):
  """Writes the release to a temporary folder, then renames that to `done`."""
  from mefnet_jax.synthetic import release

  files.remove(done)
  with files.aside(done, mark='incomplete') as aside:
    aside.mkdir()
    release.write(name, aside / name, seed=0, **options)


def _options(name, reading):
  dataset = registry.DATASETS[name]
  options = dataset.synthetic(reading)
  if options is None:
    raise errors.UserError(
      f'there is no synthetic release of {dataset.title} as it is asked for '
      'here: give yours with --config.dataset.release'
    )
  return options


def _generator():
  """A digest of the generator's code and assets."""
  return fingerprint.code_digest('mefnet_jax.synthetic', '.py', '.npz')
