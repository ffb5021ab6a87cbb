"""Orbax checkpoints with a SHA-256 manifest.

Orbax restores damaged files without an error; the manifest detects them. A
checkpoint is written under a temporary name and then renamed, so that a folder
`checkpoints/<epoch>` is always complete, even if the process is killed. The
manifest holds the digest of each file, the epoch, and the identity of the
training: its config, clips, seeds and folds. A checkpoint that is damaged or
belongs to another training is skipped in favour of the one before it. The
manifest has a digest of its own, in a file beside it that `sha256sum -c` reads.
"""

import errno
import hashlib
import json
import os
import pathlib
import re
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import jax

from mefnet_jax.runs import errors, files, json_file, multihost, regular_file

_MANIFEST, _SEAL = 'manifest.json', 'manifest.sha256'
_MARK = 'aside'  # fixed, so that the next save removes a killed one's files
_MARGIN = 1 << 20  # bytes for all files except the arrays


def save(
  folder: pathlib.Path,
  epoch: int,
  tree: Any,
  note: dict[str, Any],
  *,
  identity: Mapping[str, object],
  keep: int = 2,
) -> None:
  """Writes the tree as folder/<epoch> and removes old checkpoints.

  With several processes the first one writes and the others wait for it.

  Args:
    folder: holds the checkpoints of this training.
    epoch: number of completed epochs.
    tree: pytree of arrays.
    note: plain values stored beside the tree, returned by `latest`.
    identity: plain values that distinguish this training from any other, under
      names such as 'config' and 'clips'; `latest` compares them.
    keep: number of newest checkpoints that stay.

  Raises:
    UserError: the disk is full or not writable; older checkpoints are kept.
  """
  if multihost.is_first():
    sealed = {'identity': dict(identity), 'epoch': epoch, 'note': note}
    _write(folder, epoch, tree, sealed, keep)
  multihost.wait(f'checkpoint {folder.name} {epoch}')


def _write(folder, epoch, tree, sealed, keep):
  """Writes a checkpoint; `sealed` joins the digests in its manifest."""
  path = _path(folder, epoch)
  try:
    _clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tree = jax.device_get(tree)
    _check_room(folder, sum(x.nbytes for x in jax.tree.leaves(tree)))
    with files.aside(path, mark=_MARK) as temporary:
      with _checkpointer() as checkpointer:
        checkpointer.save(temporary.absolute(), tree)
      manifest = {'files': _digests(temporary), **sealed}
      (temporary / _MANIFEST).write_text(json.dumps(manifest, indent=1))
      (temporary / _SEAL).write_text(_seal(temporary))
      files.remove(path)  # a folder with files in it is not replaced
  except (OSError, ValueError) as error:
    _clear(folder)
    cause = _system_error(error)
    raise errors.UserError(
      f'{folder}: the checkpoint cannot be written ({_brief(cause)}): '
      + files.remedy(cause, folder, 'choose another --workdir')
    ) from error
  # Only after the new one is complete: one checkpoint at least always exists.
  # A later epoch belongs to another training (this one would have resumed from
  # it), and must not count among those that stay.
  older = [old for old in epochs(folder) if old < epoch]
  for old in older[: max(0, len(older) + 1 - keep)]:
    shutil.rmtree(_path(folder, old), ignore_errors=True)


def _check_room(folder, size):
  """Raises OSError for a full disk, where Orbax prints pages of tracebacks."""
  if shutil.disk_usage(folder).free < size + _MARGIN:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _system_error(error):
  """The error of the system, without the kilobytes that Orbax adds to it."""
  # Orbax wraps it in a ValueError, of which only the text names the cause.
  if getattr(error, 'errno', None):
    return error
  for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
    if os.strerror(number) in str(error):
      return OSError(number, os.strerror(number))
  return OSError(str(error))


def _brief(error):
  return error.strerror or str(error).partition('\n')[0][:200]


def _clear(folder):
  """Removes half-written checkpoints and Orbax's own temporary folders."""
  for path in folder.glob(f'.*.{_MARK}*'):
    shutil.rmtree(path, ignore_errors=True)


def latest(
  folder: pathlib.Path,
  warn: Callable[[str], object],
  *,
  identity: Mapping[str, object],
) -> tuple[int, dict[str, Any]]:
  """Returns epoch and note of the newest usable checkpoint.

  Args:
    folder: holds the checkpoints of this training.
    warn: called with one line for each checkpoint that is skipped because it
      is damaged or belongs to another training.
    identity: identifies this training, as passed to `save`.

  Returns:
    The number of completed epochs and the note; (0, {}) if there is none.
  """
  existing = epochs(folder)
  for epoch in reversed(existing):
    path = _path(folder, epoch)
    wrong = verify(path) or _foreign(path, epoch, identity)
    if not wrong:
      return epoch, _manifest(path)['note']
    oldest = epoch == existing[0]
    then = 'there is no older one' if oldest else 'an older one is used'
    warn(f'{path}: {wrong}; {then}')
  return 0, {}


def _foreign(path, epoch, identity):
  """Why a checkpoint does not belong to this training; '' if it does."""
  manifest = _manifest(path)
  identity_there = manifest.get('identity')
  if not isinstance(identity_there, dict) or not isinstance(
    manifest.get('note'), dict
  ):
    return 'it does not name the training to which it belongs'
  # Compared as JSON, in which tuples are lists.
  expected = json.loads(json.dumps(dict(identity)))
  for name in expected:
    if identity_there.get(name) != expected[name]:
      return f'it belongs to a training with different {name}'
  held = manifest.get('epoch')
  if held != epoch:
    return f'it holds epoch {held}, not {epoch}: it was renamed'
  return ''


def load(folder: pathlib.Path, epoch: int, like: Any) -> Any:
  """Reads the tree of a checkpoint.

  Args:
    folder: holds the checkpoints of this training.
    epoch: one of `epochs`, already verified by `latest`.
    like: a pytree of arrays with the stored shapes and dtypes.
  """
  import orbax.checkpoint as ocp  # slow to import, and not needed to train

  abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
  with _checkpointer() as checkpointer:
    return checkpointer.restore(_path(folder, epoch).absolute(), abstract)


def epochs(folder: pathlib.Path) -> list[int]:
  """Returns the epochs of the checkpoints in a folder, ascending.

  Raises:
    errors.UserError: the folder cannot be read.
  """
  try:
    names = [entry.name for entry in os.scandir(folder) if entry.is_dir()]
  except FileNotFoundError:
    return []
  except OSError as error:
    raise errors.UserError(
      f'{folder}: cannot be read ({error.strerror}): '
      + files.remedy(error, folder, 'give yourself the right to read it')
    ) from error
  return sorted(
    int(name) for name in names if re.fullmatch(r'[0-9]{6,9}', name)
  )


def verify(path: pathlib.Path) -> str:
  """Describes the damage of a checkpoint; '' if it is undamaged.

  A file that cannot be read counts as damaged.
  """
  try:
    return _damage(path)
  except OSError as error:
    name = pathlib.Path(error.filename or path).name
    return f'its file {name} cannot be read ({error.strerror})'
  except (ValueError, KeyError, TypeError, AttributeError):
    return f'its {_MANIFEST} is not a manifest'


def _damage(path):
  """Describes the first damaged or missing file; '' if there is none."""
  for name in (_MANIFEST, _SEAL):
    if not (path / name).is_file():
      return f'its file {name} is missing'
  if regular_file.read(path / _SEAL) != _seal(path).encode():
    return f'its {_MANIFEST} or {_SEAL} is damaged (SHA-256 differs)'
  found = _digests(path)
  for name, digest in _manifest(path)['files'].items():
    if name not in found:
      return f'its file {name} is missing'
    if found[name] != digest:
      return f'its file {name} is damaged (SHA-256 differs)'
  return ''


def _manifest(path):
  return json_file.load(path / _MANIFEST)


def _checkpointer():
  """An Orbax checkpointer for this process alone, which holds the tree."""
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
  return folder / f'{epoch:06d}'  # of one width, so that names sort by epoch


def _digests(path):
  """SHA-256 of each file of a checkpoint, by its relative path."""
  return {
    str(file.relative_to(path)): _digest(file)
    for file in sorted(path.rglob('*'))
    if file.is_file() and file.name not in (_MANIFEST, _SEAL)
  }


def _digest(file):
  with open(file, 'rb') as stream:
    return hashlib.file_digest(stream, 'sha256').hexdigest()


def _seal(path):
  """The digest of the manifest, in the format of `sha256sum`."""
  return f'{_digest(path / _MANIFEST)}  {_MANIFEST}\n'
