"""Orbax checkpoints with a SHA-256 manifest: Orbax restores damage silently.

A checkpoint is written aside and renamed, so that `checkpoints/<epoch>` is
whole whenever it exists; a process may be killed at any moment. What the
manifest does not match is left aside, and the one before it is taken. The
manifest has a digest too, in a file beside it that `sha256sum -c` reads.
"""

import errno
import hashlib
import json
import os
import pathlib
import shutil

import jax

from mefnet_jax.runs import errors, multihost

_MANIFEST, _SEAL = 'manifest.json', 'manifest.sha256'
_ASIDE = '.aside'
_MARGIN = 1 << 20  # bytes for what lies beside the arrays


def save(folder: pathlib.Path, epoch: int, tree, note: dict, *, keep: int = 2):
  """Writes the tree as folder/<epoch> and removes all but the newest.

  Of several processes the first writes, and the others wait for it.

  Args:
    folder: of this training's checkpoints.
    epoch: epochs done.
    tree: of arrays.
    note: plain values to keep beside it, given back by `latest`.
    keep: checkpoints that stay.

  Raises:
    UserError: the disk is full or cannot be written; older ones are kept.
  """
  if multihost.is_first():
    _write(folder, epoch, tree, note, keep)
  multihost.wait(f'checkpoint {folder.name} {epoch}')


def _write(folder, epoch, tree, note, keep):
  aside = folder / _ASIDE
  try:
    _clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tree = jax.device_get(tree)
    _check_room(folder, sum(x.nbytes for x in jax.tree.leaves(tree)))
    with _checkpointer() as checkpointer:
      checkpointer.save(aside.absolute(), tree)
    manifest = {'files': _digests(aside), 'note': note}
    (aside / _MANIFEST).write_text(json.dumps(manifest, indent=1))
    (aside / _SEAL).write_text(_seal(aside))
    shutil.rmtree(_path(folder, epoch), ignore_errors=True)
    os.replace(aside, _path(folder, epoch))
  except (OSError, ValueError) as error:
    _clear(folder)
    raise errors.UserError(
      f'{folder}: the checkpoint cannot be written ({_brief(error)}): free '
      'some space or choose another --workdir, and run the command again'
    ) from error
  for old in epochs(folder)[:-keep]:
    shutil.rmtree(_path(folder, old), ignore_errors=True)


def _check_room(folder, size):
  """Raises OSError on a full disk: Orbax would print pages of tracebacks."""
  if shutil.disk_usage(folder).free < size + _MARGIN:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _brief(error):
  """What the system says; Orbax tells kilobytes around it."""
  text = getattr(error, 'strerror', None) or str(error)
  said = (os.strerror(n) for n in (errno.ENOSPC, errno.EDQUOT, errno.EROFS))
  return next((s for s in said if s in text), text.partition('\n')[0][:200])


def _clear(folder):
  """Removes what is half written, Orbax's own temporary folder too."""
  for path in folder.glob(f'{_ASIDE}*'):
    shutil.rmtree(path, ignore_errors=True)


def latest(folder: pathlib.Path, warn) -> tuple[int, dict]:
  """Epochs done and the note of the newest whole checkpoint; (0, {}) if none.

  `warn` is called with one line for each damaged one that is passed by.
  """
  found = epochs(folder)
  for epoch in reversed(found):
    path = _path(folder, epoch)
    damage = verify(path)
    if not damage:
      return epoch, json.loads((path / _MANIFEST).read_text())['note']
    first = epoch == found[0]
    then = 'there is none before it' if first else 'the one before it is taken'
    warn(f'{path}: {damage}; {then}')
  return 0, {}


def load(folder: pathlib.Path, epoch: int, like):
  """The tree of a checkpoint; `like` gives its shapes and dtypes."""
  import orbax.checkpoint as ocp  # its import would delay the first step

  abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
  with _checkpointer() as checkpointer:
    return checkpointer.restore(_path(folder, epoch).absolute(), abstract)


def epochs(folder: pathlib.Path) -> list[int]:
  """Epochs of the checkpoints in a folder, ascending."""
  if not folder.is_dir():
    return []
  names = [p.name for p in folder.iterdir() if p.is_dir()]
  return sorted(int(name) for name in names if name.isdecimal())


def verify(path: pathlib.Path) -> str:
  """What is wrong with a checkpoint, in words; '' if nothing is."""
  for name in (_MANIFEST, _SEAL):
    if not (path / name).is_file():
      return f'its file {name} is missing'
  if (path / _SEAL).read_bytes() != _seal(path).encode():
    return f'its {_MANIFEST} or {_SEAL} is damaged (SHA-256 differs)'
  files = json.loads((path / _MANIFEST).read_text())['files']
  found = _digests(path)
  for name, digest in files.items():
    if name not in found:
      return f'its file {name} is missing'
    if found[name] != digest:
      return f'its file {name} is damaged (SHA-256 differs)'
  return ''


def _checkpointer():
  """Orbax's, of this process alone: what it writes is in its memory."""
  import orbax.checkpoint as ocp

  if jax.process_count() == 1:
    return ocp.StandardCheckpointer()
  me = jax.process_index()
  return ocp.StandardCheckpointer(
    multiprocessing_options=ocp.options.MultiprocessingOptions(
      primary_host=me,
      active_processes={me},
      barrier_sync_key_prefix=f'process{me}',
    )
  )


def _path(folder, epoch):
  return folder / f'{epoch:06d}'


def _digests(path):
  """SHA-256 of each file below a checkpoint, by its relative name."""
  return {
    str(file.relative_to(path)): _digest(file)
    for file in sorted(path.rglob('*'))
    if file.is_file() and file.name not in (_MANIFEST, _SEAL)
  }


def _digest(file):
  with open(file, 'rb') as stream:
    return hashlib.file_digest(stream, 'sha256').hexdigest()


def _seal(path):
  """What the manifest's own digest file says, as `sha256sum` writes it."""
  return f'{_digest(path / _MANIFEST)}  {_MANIFEST}\n'
