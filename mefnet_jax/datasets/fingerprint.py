"""The fingerprint of a release: a digest of the content of its files.

All bytes of the used files are hashed, in threads. The hashes are cached by
path, size and time of change, so that the next run need not read the files.
"""

import concurrent.futures
import importlib.util
import itertools
import pathlib
import typing

from mefnet_jax.preprocess import clip_records
from mefnet_jax.runs import cache, files, regular_file

if typing.TYPE_CHECKING:
  from collections.abc import Sequence


_THREADS = 8
_TOGETHER = 32  # files that a thread looks at in turn
UNREADABLE = 'unreadable'


def fingerprint(release: clip_records.Release, *options: object) -> str:
  """Returns 32 hexadecimal digits; equal for equal content and options.

  Args:
    release: the release; rows, labels and frames count, its folder does not.
    options: all other values on which the clips depend.
  """
  paths = [path for row in release.rows for path in row.files]
  hash_of = dict(zip(paths, hashes(release.root, paths), strict=True))
  content = [
    (row.clip, row.label, row.onset, row.apex, row.offset, row.numbers)
    + (row.database, *(hash_of[path] for path in row.files))
    for row in release.rows
  ]
  return cache.digest(release.name, release.classes, content, options)


def code_digest(name: str, *suffixes: str) -> str:
  """Returns 32 hexadecimal digits of a package's files with these suffixes.

  With it no version has to be raised by hand when the code changes.

  Args:
    name: the package's name.
    *suffixes: such as '.py'; subpackages are not included.
  """
  spec = importlib.util.find_spec(name)
  folder = pathlib.Path(next(iter(spec.submodule_search_locations)))
  code = sorted(f for f in folder.iterdir() if f.suffix in suffixes)
  return cache.digest([(file.name, files.digest(file)) for file in code])


def hashes(root: pathlib.Path, paths: 'Sequence[pathlib.Path]') -> list[str]:
  """Returns hashes of the files' bytes; only new and changed files are read.

  Args:
    root: folder of the release, under whose name the hashes are cached.
    paths: the files; the hash of one that cannot be read is `UNREADABLE`.
  """
  folder = cache.made(cache.root() / 'hashes')
  index = folder / f'{cache.digest(str(root))}.json'
  known = cache.read_json(index)
  # To hand over a task takes longer than to look at a file that is known.
  parts = [paths[n : n + _TOGETHER] for n in range(0, len(paths), _TOGETHER)]
  with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
    rows = pool.map(lambda part: [_entry(path, known) for path in part], parts)
    found = dict(itertools.chain.from_iterable(rows))
  if any(known.get(key) != entry for key, entry in found.items()):
    files.write_json(index, known | found, indent=None)
  return [found[str(path)][-1] for path in paths]


def _entry(path, known):
  """(path, [size, times, hash]) of one file."""
  try:
    stat = regular_file.check(path)
    # Unlike mtime, ctime cannot be set back by the program that wrote a file.
    now = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    before = known.get(str(path))
    if isinstance(before, list) and before[:-1] == now:
      return str(path), before
    return str(path), [*now, files.digest(path)]
  except (OSError, ValueError):
    return str(path), [UNREADABLE]
