r"""Writes a synthetic release in the layout of a real one.

python -m mefnet_jax.synthetic.release --layout=smic --out=DIR --seed=0
"""

import argparse
import concurrent.futures
import functools
import multiprocessing
import os
import pathlib
import sys

import numpy as np

from mefnet_jax import errors
from mefnet_jax.synthetic import files, smic, studio

MARKER = 'SYNTHETIC.txt'


def write(layout, out, *, seed=0, clips=None, subjects=None, processes=None,
          progress=None, **options) -> pathlib.Path:
  """Writes a release and returns its folder.

  Args:
    layout: smic or cas_me2.
    out: folder to make; it must be missing or empty. The truth goes to a
      folder beside it, named `<out>_truth`.
    seed: the same seed gives the same bytes.
    clips: at most so many clips a subject (None: all).
    subjects: at most so many subjects (None: all).
    processes: how many work at it; 0 for this one (None: one a core).
    progress: called with (clips done, clips in all).
    **options: of the layout: smic has subset and form.

  Raises:
    UserError: `out` holds something, or an option is wrong.
  """
  out = pathlib.Path(out)
  truth = out.with_name(f'{out.name}_truth')
  for folder in (out, truth):
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
      raise errors.UserError(f'{folder} is not an empty folder: name another.')
  shots = smic.plan(np.random.default_rng([seed, 7]), clips=clips,
                    subjects=subjects, **options)
  out.parent.mkdir(parents=True, exist_ok=True)
  with files.aside(truth) as new_truth, files.aside(out) as new:
    new.mkdir(), new_truth.mkdir()
    (new / MARKER).write_text(_marker(layout, seed))
    (new_truth / MARKER).write_text(_marker(layout, seed))
    work = functools.partial(studio.film, root=new, truth=new_truth, seed=seed)
    for done, _ in enumerate(_each(work, shots, processes)):
      if progress:
        progress(done + 1, len(shots))
    for folder in (out, truth):
      if folder.exists():
        folder.rmdir()
  return out


def _each(work, shots, processes):
  """Yields once a shot is done."""
  processes = os.cpu_count() if processes is None else processes
  if processes < 2 or len(shots) < 2:
    yield from map(work, shots)
    return
  context = multiprocessing.get_context('spawn')
  with concurrent.futures.ProcessPoolExecutor(processes, context) as pool:
    yield from pool.map(work, shots, chunksize=4)


def _marker(layout, seed):
  return (f'SYNTHETIC {layout} release, seed {seed}, written by '
          'mefnet_jax.synthetic.release.\nNo real person is in it.\n')


def main(argv=None) -> int:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--layout', choices=('smic', 'cas_me2'), required=True)
  parser.add_argument('--out', type=pathlib.Path, required=True)
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--clips', type=int)
  parser.add_argument('--subjects', type=int)
  parser.add_argument('--processes', type=int)
  args = parser.parse_args(argv)
  try:
    write(**vars(args))
  except errors.UserError as error:
    print(f'error: {error}', file=sys.stderr)
    return 1
  return 0


if __name__ == '__main__':
  sys.exit(main())
