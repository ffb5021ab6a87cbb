"""The only list of data sets, and the function that reads a release of one."""

import collections
import dataclasses
import math
import os
import pathlib
import types
import typing
from collections.abc import Callable, Mapping

from mefnet_jax.datasets import directories, links, provenance, unread_files
from mefnet_jax.datasets.cas_me2 import release as cas_me2_release
from mefnet_jax.datasets.folder import release as folder_release
from mefnet_jax.datasets.megc_flow import release as megc_flow_release
from mefnet_jax.datasets.smic import release as smic_release
from mefnet_jax.preprocess import clip_records, shared_depth
from mefnet_jax.runs import errors, findings

if typing.TYPE_CHECKING:
  from collections.abc import Iterable, Sequence

  from ml_collections import ConfigDict

_ON_REQUEST = (
  'Given to researchers who sign its licence. A network trained on it may be '
  'bound by that licence too: read yours before you pass it on.'
)


@dataclasses.dataclass(frozen=True)
class Dataset:
  """Everything that the package knows about a data set.

  Attributes:
    reader: a module with
      read: reads a release, with the arguments of `registry.read`;
      looks_like: whether a folder holds such a release;
      TREES: an example of the files of a release by subset, or by '' for all;
      OPTIONS: the values that each field of `READING` may have, for the fields
        that `read` reads.
    title: its name in print.
    literature: what literature.csv calls it; '' if it has no rows there.
    licence: the terms under which it is distributed.
    fps: frames per second by subset, or by '' for all subsets; empty if the
      rate is not known.
    maps: whether its clips are maps of motion, in which no face is visible.
    synthetic: maps the fields of `READING` to the options with which
      `synthetic.release.write` makes such a release, or to None if it cannot.
  """

  reader: types.ModuleType
  title: str
  literature: str
  licence: str
  fps: Mapping[str, float]
  synthetic: Callable[[Mapping[str, str]], dict | None]
  maps: bool = False


DATASETS = {
  'smic': Dataset(
    reader=smic_release,
    title='SMIC',
    literature='smic',
    licence=_ON_REQUEST,
    # The high-speed camera; the visible and the near-infrared one film slower.
    fps={'hs': 100.0, 'hs_long': 100.0}
    | dict.fromkeys(('vis', 'nir', 'vis_long', 'nir_long'), 25.0),
    synthetic=lambda reading: (
      None
      if reading['subset'].endswith('_long')
      else {'subset': reading['subset']}
    ),
  ),
  'cas_me2': Dataset(
    reader=cas_me2_release,
    title='CAS(ME)^2',
    literature='cas_me2',
    licence=_ON_REQUEST,
    fps={'': 30.0},
    # Macro-expressions that are not read are not rendered.
    synthetic=lambda reading: {'macro': reading['expressions'] != 'micro'},
  ),
  'megc_flow': Dataset(
    reader=megc_flow_release,
    title='the flow maps of the MEGC2019 composite',
    literature='megc2019',
    licence='In public circulation since STSTNet (2019), without a licence '
    'text; made from SMIC, CASME II and SAMM, which are under their own.',
    fps={},
    synthetic=lambda reading: {},
    maps=True,
  ),
  'folder': Dataset(
    reader=folder_release,
    title='a folder with a table of clips',
    literature='',
    licence='Not known: ask the makers of the recordings.',
    fps={},
    synthetic=lambda reading: None,
  ),
}
# The licence of rendered releases.
_RENDERED = 'Apache-2.0: rendered from CC0 head data, no licensed pixel.'
# The fields of `config.dataset` that `read` takes.
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
) -> clip_records.Release:
  """Reads a release; of the images only a few of more than 8 bits are opened.

  Links out of the release are not followed, but reported as findings.

  Args:
    name: a key of `DATASETS`.
    root: the release, its parent, or a folder in it.
    subset: 'hs', 'vis', 'nir', 'all' or '<camera>_long' (SMIC only).
    labels: label set, a key of `cas_me2.label_sets.SETS` (CAS(ME)^2 only).
    expressions: 'micro', 'macro' or 'both' (CAS(ME)^2 only).
    images: which images where a release has several: 'auto', or
      'cropped' | 'raw' (SMIC), 'selectedpic' | 'cropped' | 'rawpic' |
      'longVideoFaceCropped' | 'rawvideo' (CAS(ME)^2), 'loso' | 'whole'
      (megc_flow), 'tree' | 'table' (folder).
    table: name of the CSV file (folder only).

  Raises:
    errors.UserError: an unknown option; a folder that is missing, empty, or
      not such a release. The message shows an example of the expected files.
  """
  options = dict(
    subset=subset, labels=labels, expressions=expressions, images=images
  )
  check(name, **options)
  root = folder(root)
  try:
    found = DATASETS[name].reader.read(root, **options, table=table)
  # A wrong name of the data set is the likeliest reason: suggest the right one.
  except errors.UserError as error:
    raise errors.UserError(f'{error}{_other(name, root)}') from None
  found = unread_files.reported(links.cut(found), single=DATASETS[name].maps)
  return provenance.checked(shared_depth.shared(found))


def tree(name: str, subset: str = 'hs') -> str:
  """Returns an example of the files of a data set, in one line."""
  trees = DATASETS[name].reader.TREES
  return trees.get(subset) or trees['']


def find(name: str) -> Dataset:
  """Returns the data set of that name.

  Raises:
    errors.UserError: there is none.
  """
  return DATASETS[_one_of('dataset.name', name, DATASETS)]


def fps(dataset: 'ConfigDict') -> float | None:
  """Returns the frames per second of `config.dataset`; None if not known."""
  rates = DATASETS[dataset.name].fps
  return rates.get(dataset.get('subset', ''), rates.get(''))


def licence(name: str, synthetic: bool) -> str:
  """Returns the terms of a data set, or those of rendered releases."""
  return _RENDERED if synthetic else DATASETS[name].licence


def check(name: str, **options: str) -> None:
  """Raises errors.UserError for an option that `read` does not know."""
  # Fields that this data set does not read are checked by one that does: a
  # spelling mistake is a mistake in any config.
  readers = [find(name).reader, *(other.reader for other in DATASETS.values())]
  allowed = collections.ChainMap(*(reader.OPTIONS for reader in readers))
  for field, value in options.items():
    if field in allowed:
      _one_of(f'dataset.{field}', value, allowed[field])


def shortfall(
  clip_rows: 'Sequence[clip_records.Row]',
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
  total = len(lost) + len(clip_rows)
  subjects = {row.subject for row in clip_rows}
  classes = {row.label for row in clip_rows}
  # No protocol can train on some people and test others with fewer.
  if len(subjects) < 2 or len(classes) < 2:
    return (
      f'{len(clip_rows)} usable clips of {len(subjects)} subjects and '
      f'{len(classes)} classes are left; at least two of each are needed'
    )
  if not len(lost) <= allow_lost * total:  # nan allows nothing
    # Rounded up to .05, so that the advice is a number that one would type.
    enough = math.ceil(len(lost) / total * 20) / 20
    return (
      f'{len(lost)} of {total} clips were left out, more than '
      f'{allow_lost:.0%}; mend them, or allow it with '
      f'--config.dataset.allow_lost={enough:.2g}'
    )
  return ''


def _one_of(field, value, allowed):
  if value not in allowed:
    known = ', '.join(allowed)
    raise errors.UserError(
      f'--config.{field}={value!r}: must be one of {known}'
    )
  return value


def folder(root: str) -> pathlib.Path:
  """Returns the absolute path of the release folder that a user names.

  Raises:
    errors.UserError: it is missing, empty, unreadable, or a file.
  """
  # Unlike pathlib's, it leaves the name of an unknown user as it is.
  root = pathlib.Path(os.path.abspath(os.path.expanduser(root)))
  if not root.exists():
    raise errors.UserError(
      f'{root}: no such folder; name the folder of the unpacked release'
    )
  if not root.is_dir():
    raise errors.UserError(
      f'{root} is a file; give the folder of the unpacked release'
    )
  if directories.names(root) in ('nothing', 'unreadable'):
    raise errors.UserError(
      f'{root}: the folder is empty or cannot be read; unpack the release there'
    )
  return root


def _other(name, root):
  """A hint if the folder looks like another data set; else ''."""
  for other, dataset in DATASETS.items():
    if other != name and dataset.reader.looks_like(root):
      return (
        f'. It looks like {dataset.title}: use --config.dataset.name={other}'
      )
  return ''
