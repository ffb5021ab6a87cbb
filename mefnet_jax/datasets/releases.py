"""Reads what lies on disk of a release: rows, and what was amiss."""

import math
import os
import pathlib
import typing

from mefnet_jax import errors, findings
from mefnet_jax.datasets import (
  cas_me2_release,
  folder_release,
  folders,
  links,
  megc_flow_release,
  rows,
  smic_long_release,
  smic_release,
)

if typing.TYPE_CHECKING:
  from collections.abc import Iterable, Sequence

LAYOUTS = {
  'smic': smic_release,
  'cas_me2': cas_me2_release,
  'megc_flow': megc_flow_release,
  'folder': folder_release,
}
_TITLES = {
  'smic': 'SMIC',
  'cas_me2': 'CAS(ME)^2',
  'megc_flow': 'the flow maps of the MEGC2019 composite',
  'folder': 'a folder with a table of clips',
}
# The fields of `config.dataset` that choose what is read.
READING = ('subset', 'labels', 'expressions', 'images', 'table')


def read(
  name: str,
  root: str | os.PathLike,
  *,
  subset: str = 'hs',
  labels: str = 'emotion3',
  expressions: str = 'micro',
  images: str = 'auto',
  table: str = '',
) -> rows.Release:
  """Reads a release; opens no image.

  Links that lead out of the release are not followed, and told.

  Args:
    name: a key of `LAYOUTS`.
    root: the release, its parent, or a folder in it.
    subset: of SMIC: one of `smic_release.SUBSETS`.
    labels: label set of CAS(ME)^2 (`cas_me2_labels.SETS`).
    expressions: of CAS(ME)^2: 'micro', 'macro' or 'both'.
    images: which images where a release has several: 'auto', or
      'cropped' | 'raw' (SMIC), 'selectedpic' | 'cropped' | 'rawpic' |
      'longVideoFaceCropped' | 'rawvideo' (CAS(ME)^2), 'loso' | 'whole'
      (megc_flow), 'tree' | 'table' (folder).
    table: of 'folder': the name of its CSV file.

  Raises:
    errors.UserError: an unknown option; a folder that is missing, empty, or
      not such a release. The line says what tree was expected.
  """
  options = dict(
    subset=subset, labels=labels, expressions=expressions, images=images
  )
  check(name, **options)
  root = _folder(root)
  try:
    return links.cut(LAYOUTS[name].read(root, **options, table=table))
  except errors.UserError as error:
    raise errors.UserError(f'{error}{_other(name, root)}') from None


def tree(name: str, subset: str = 'hs') -> str:
  """Returns what the tree of a dataset looks like, in a line."""
  if name != 'smic':
    return LAYOUTS[name].TREE
  if subset in smic_long_release.SUBSETS:
    return smic_long_release.TREE
  return smic_release.TREE.format(subset.upper() if subset != 'all' else 'HS')


def check(name: str, **options: str) -> None:
  """Raises errors.UserError for an option that `read` does not know."""
  layout = LAYOUTS[_one_of('dataset.name', name, LAYOUTS)]
  allowed = {
    'subset': smic_release.SUBSETS,
    'labels': tuple(cas_me2_release.LABELS),
    'expressions': cas_me2_release.EXPRESSIONS,
    'images': layout.IMAGES,
  }
  for field, value in options.items():
    if field in allowed:
      _one_of(f'dataset.{field}', value, allowed[field])


def shortfall(
  clip_rows: 'Sequence[rows.Row]',
  found: 'Iterable[findings.Finding]',
  allow_lost: float,
) -> str:
  """Returns why too little is left to train on; empty if enough is.

  Args:
    clip_rows: the clips that are left.
    found: findings; clips left out count as lost.
    allow_lost: the share of clips that may be lost.
  """
  lost = findings.lost(found)
  whole = len(lost) + len(clip_rows)
  subjects = {row.subject for row in clip_rows}
  classes = {row.label for row in clip_rows}
  if len(subjects) < 2 or len(classes) < 2:
    return (
      f'{len(clip_rows)} usable clips of {len(subjects)} subjects and '
      f'{len(classes)} classes are left; at least two of each are needed'
    )
  if not len(lost) <= allow_lost * whole:  # nan allows nothing
    enough = math.ceil(len(lost) / whole * 20) / 20
    return (
      f'{len(lost)} of {whole} clips were left out, more than '
      f'{allow_lost:.0%}; mend them, or allow it with '
      f'--config.dataset.allow_lost={enough:.2g}'
    )
  return ''


def _one_of(field, value, allowed):
  if value not in allowed:
    known = ', '.join(allowed)
    raise errors.UserError(f'config.{field}={value!r}: must be one of {known}')
  return value


def _folder(root):
  root = pathlib.Path(os.path.abspath(pathlib.Path(root).expanduser()))
  if not root.exists():
    raise errors.UserError(
      f'{root}: no such folder; give the release with --config.dataset.release'
    )
  if not root.is_dir():
    raise errors.UserError(
      f'{root} is a file; give the folder of the unpacked release'
    )
  if folders.names(root) in ('nothing', 'unreadable'):
    raise errors.UserError(
      f'{root}: the folder is empty or cannot be read; unpack the release there'
    )
  return root


def _other(name, root):
  """A hint when the folder is the other dataset's."""
  for other, layout in LAYOUTS.items():
    if other != name and layout.looks_like(root):
      return (
        f'. It looks like {_TITLES[other]}: use --config.dataset.name={other}'
      )
  return ''
