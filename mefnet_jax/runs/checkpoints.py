"""Orbax checkpoints with a SHA-256 manifest: Orbax restores damage silently.

A checkpoint is written aside and renamed, so that `checkpoints/<epoch>` is
whole whenever it exists; a process may be killed at any moment. Its manifest
holds the digest of each file, its epoch, and the identity of its training: the
config, the clips, seeds and folds. What is damaged or of another training is
left aside, and the one before it is taken. The manifest has a digest too, in a
file beside it that `sha256sum -c` reads.
"""

import errno
import hashlib
import json
import os
import pathlib
import re
import shutil
from collections.abc import Callable, Mapping

import jax

from mefnet_jax.runs import errors, files, multihost

_MANIFEST, _SEAL = 'manifest.json', 'manifest.sha256'
_ASIDE = '.aside'
_MARGIN = 1 << 20  # bytes for what lies beside the arrays


def save(
  folder: pathlib.Path,
  epoch: int,
  tree,
  note: dict,
  *,
  identity: Mapping[str, object],
  keep: int = 2,
):
  """Writes the tree as folder/<epoch> and removes all but the newest.

  Of several processes the first writes, and the others wait for it.

  Args:
    folder: of this training's checkpoints.
    epoch: epochs done.
    tree: of arrays.
    note: plain values to keep beside it, given back by `latest`.
    identity: plain values that tell this training from any other, by what
      they are of: 'config', 'clips', ...; `latest` compares them.
    keep: checkpoints that stay.

  Raises:
    UserError: the disk is full or cannot be written; older ones are kept.
  """
  if multihost.is_first():
    sealed = {'identity': dict(identity), 'epoch': epoch, 'note': note}
    _write(folder, epoch, tree, sealed, keep)
  multihost.wait(f'checkpoint {folder.name} {epoch}')


def _write(folder, epoch, tree, sealed, keep):
  aside = folder / _ASIDE
  try:
    _clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tree = jax.device_get(tree)
    _check_room(folder, sum(x.nbytes for x in jax.tree.leaves(tree)))
    with _checkpointer() as checkpointer:
      checkpointer.save(aside.absolute(), tree)
    manifest = {'files': _digests(aside), **sealed}
    (aside / _MANIFEST).write_text(json.dumps(manifest, indent=1))
    (aside / _SEAL).write_text(_seal(aside))
    files.remove(_path(folder, epoch))
    os.replace(aside, _path(folder, epoch))
  except (OSError, ValueError) as error:
    _clear(folder)
    known = _of_system(error)
    raise errors.UserError(
      f'{folder}: the checkpoint cannot be written ({_brief(known)}): '
      + files.mend(known, folder, 'choose another --workdir')
    ) from error
  for old in epochs(folder)[:-keep]:
    shutil.rmtree(_path(folder, old), ignore_errors=True)


def _check_room(folder, size):
  """Raises OSError on a full disk: Orbax would print pages of tracebacks."""
  if shutil.disk_usage(folder).free < size + _MARGIN:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _of_system(error):
  """The system's error; Orbax tells kilobytes around it."""
  if getattr(error, 'errno', None):
    return error
  for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
    if os.strerror(number) in str(error):
      return OSError(number, os.strerror(number))
  return OSError(str(error))


def _brief(error):
  return error.strerror or str(error).partition('\n')[0][:200]


def _clear(folder):
  """Removes what is half written, Orbax's own temporary folder too."""
  for path in folder.glob(f'{_ASIDE}*'):
    shutil.rmtree(path, ignore_errors=True)


def latest(
  folder: pathlib.Path,
  warn: Callable[[str], object],
  *,
  identity: Mapping[str, object],
) -> tuple[int, dict]:
  """Epochs done and the note of the newest checkpoint; (0, {}) if none.

  Args:
    folder: of this training's checkpoints.
    warn: called with one line for each that is passed over, because it is
      damaged or of another training.
    identity: of this training, as `save` was given it.
  """
  found = epochs(folder)
  for epoch in reversed(found):
    path = _path(folder, epoch)
    wrong = verify(path) or _foreign(path, epoch, identity)
    if not wrong:
      return epoch, _manifest(path)['note']
    first = epoch == found[0]
    then = 'there is none before it' if first else 'the one before it is taken'
    warn(f'{path}: {wrong}; {then}')
  return 0, {}


def _foreign(path, epoch, identity):
  """How a whole checkpoint is not of this training; '' if it is."""
  manifest = _manifest(path)
  own = manifest.get('identity')
  if not isinstance(own, dict):
    return 'it does not say of which training it is'
  # As JSON gives them back: tuples are lists.
  expected = json.loads(json.dumps(dict(identity)))
  for name in expected:
    if own.get(name) != expected[name]:
      return f'it is of other {name} than this training'
  if manifest['epoch'] != epoch:
    return f'it is of epoch {manifest["epoch"]}, not {epoch}: it was renamed'
  return ''


def load(folder: pathlib.Path, epoch: int, like):
  """The tree of a checkpoint; `like` gives its shapes and dtypes."""
  import orbax.checkpoint as ocp  # its import would delay the first step

  abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
  with _checkpointer() as checkpointer:
    return checkpointer.restore(_path(folder, epoch).absolute(), abstract)


def epochs(folder: pathlib.Path) -> list[int]:
  """Epochs of the checkpoints in a folder, ascending.

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
      + files.mend(error, folder, 'give yourself the right to read it')
    ) from error
  return sorted(
    int(name) for name in names if re.fullmatch(r'[0-9]{6,9}', name)
  )


def verify(path: pathlib.Path) -> str:
  """What is wrong with a checkpoint, in words; '' if nothing is.

  A file that may not be read counts as damaged.
  """
  try:
    return _damage(path)
  except OSError as error:
    name = pathlib.Path(error.filename or path).name
    return f'its file {name} cannot be read ({error.strerror})'
  except (ValueError, KeyError, TypeError, AttributeError):
    return f'its {_MANIFEST} is not one'


def _damage(path):
  for name in (_MANIFEST, _SEAL):
    if not (path / name).is_file():
      return f'its file {name} is missing'
  if (path / _SEAL).read_bytes() != _seal(path).encode():
    return f'its {_MANIFEST} or {_SEAL} is damaged (SHA-256 differs)'
  found = _digests(path)
  for name, digest in _manifest(path)['files'].items():
    if name not in found:
      return f'its file {name} is missing'
    if found[name] != digest:
      return f'its file {name} is damaged (SHA-256 differs)'
  return ''


def _manifest(path):
  return json.loads((path / _MANIFEST).read_text())


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
