"""The release used when none is given: a synthetic one, made once."""

import importlib.util
import pathlib
import shutil
import typing

from mefnet_jax.datasets import cache, fingerprint

if typing.TYPE_CHECKING:
  from collections.abc import Mapping


def find(
  name: str, reading: 'Mapping[str, str]', *, workers: int = 0
) -> pathlib.Path:
  """Returns the root of the synthetic release, which is made if needed.

  One process makes it while others wait; what a killed one left is removed.
  A change of the generator's code or assets makes a new one.

  Args:
    name: 'smic' or 'cas_me2'.
    reading: options of `releases.read`; those that ask for other images ask
      for another release.
    workers: processes; 0 takes one a core.
  """
  options = _options(name, reading)
  folder = cache.root() / 'synthetic'
  kind = '_'.join([name, *(str(v) for v in options.values())])
  done = folder / f'{kind}_{_generator()[:12]}'
  if (done / name / 'SYNTHETIC.txt').is_file():
    return done / name
  with cache.lock(folder / f'.{kind}.lock'):
    if not (done / name / 'SYNTHETIC.txt').is_file():
      _make(name, folder / f'.{kind}.incomplete', done, options, workers)
  return done / name


def _make(name, aside, done, options, workers):
  from mefnet_jax.synthetic import release

  for stray in (aside, done):
    shutil.rmtree(stray, ignore_errors=True)
  aside.mkdir()
  release.write(name, aside / name, seed=0, workers=workers, **options)
  aside.rename(done)


def _options(name, reading):
  if name == 'smic':
    return {'subset': reading['subset']}
  return {'macro': reading['expressions'] != 'micro'}


def _generator():
  """Hash of what makes synthetic releases."""
  spec = importlib.util.find_spec('mefnet_jax.synthetic')
  folder = pathlib.Path(next(iter(spec.submodule_search_locations)))
  files = sorted(f for f in folder.iterdir() if f.suffix in ('.py', '.npz'))
  return fingerprint.of_files(files)
