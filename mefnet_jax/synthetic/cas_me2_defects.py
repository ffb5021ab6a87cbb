"""Reproduces the known defects of CAS(ME)^2 in a synthetic release.

Each kind affects the same share of rows as in the real workbook, and
macro-expressions first, as there.
"""

import dataclasses
import fnmatch
import json
import pathlib
import shutil
from collections.abc import Sequence

import numpy as np

from mefnet_jax.runs import errors
from mefnet_jax.synthetic import cas_me2_workbook, studio

KINDS = {  # name: number of affected rows in the real release (0: folders)
  'offset0': 44,
  'apex0': 1,
  'offset_before_apex': 3,
  'overlap': 17,
  'typo': 1,
  'misfiled': 0,
  'incomplete_cropped': 0,
  'doubled': 0,
  'workbook_name': 0,
}
WORKBOOK = 'CAS(ME)^2code_final.xlsx'
OTHER_NAMES = (
  'CAS(ME)2code_final.xlsx',
  'code_final.xlsx',
  'CAS(ME)^2code_final(Updated).xlsx',
)
MISFILED = ('/s23/23_0502', '/s19/23_0502')
NOT_CROPPED = ('15/happy5_*', '24/happy4_*', '23/happy2_*', '23/happy4_*')


class Defects:
  """The requested defects, and a record of where they were introduced."""

  def __init__(self, names: Sequence[str], rng: np.random.Generator):
    """Checks the names.

    Args:
      names: keys of `KINDS`, or 'all'.
      rng: numpy Generator that picks the rows.

    Raises:
      errors.UserError: a name is unknown.
    """
    unknown = set(names) - {*KINDS, 'all'}
    if unknown:
      raise errors.UserError(
        f'--defects={",".join(sorted(unknown))}: known are all, '
        f'{", ".join(KINDS)}'
      )
    self.wanted = set(KINDS) if 'all' in names else set(names)
    # 'all' takes what fits; a defect that is named must be there, or a test of
    # its repair would test nothing.
    self.by_name = 'all' not in names
    self.rng = rng
    self.planted = {}
    self.workbook = WORKBOOK
    if 'workbook_name' in self.wanted:
      self.workbook = str(rng.choice(OTHER_NAMES))
      self.planted['workbook_name'] = [self.workbook]

  def overlap(self, shots: Sequence[studio.Shot]) -> list[studio.Shot]:
    """Makes clips begin before the previous clip of their video ends."""
    shots = list(shots)
    if 'overlap' not in self.wanted:
      return shots
    pairs = [
      k
      for k in range(1, len(shots))
      if _video(shots[k]) == _video(shots[k - 1])
      and shots[k].numbers[0] > shots[k - 1].numbers[-1]
    ]
    for k in sorted(self._pick('overlap', pairs, len(shots))):
      into = min(len(shots[k].numbers), len(shots[k - 1].numbers)) // 3
      onset = shots[k - 1].numbers[-1] - max(into, 1)
      numbers = tuple(range(onset, onset + len(shots[k].numbers)))
      shots[k] = dataclasses.replace(shots[k], numbers=numbers)
      self._record('overlap', shots[k].name)
    return shots

  def rows(self, rows: list[cas_me2_workbook.Row]) -> None:
    """Changes rows of the workbook; the frames are not changed."""
    free = list(range(len(rows)))
    for kind in ('apex0', 'offset_before_apex', 'offset0'):
      fit = [k for k in free if rows[k].apex - rows[k].onset > 1]
      for k in self._pick(kind, _macro_first(fit, rows), len(rows)):
        # One defect a row, so that each repair can be recognised.
        free.remove(k)
        if kind == 'apex0':
          rows[k].apex = 0
        elif kind == 'offset0':
          rows[k].offset = 0
        else:
          rows[k].offset = rows[k].apex - 1
        self._record(kind, f'{rows[k].participant} {rows[k].clip}')
    happy = [k for k, row in enumerate(rows) if row.report == 'happiness']
    for k in self._pick('typo', happy, len(rows)):
      rows[k].report = 'happyiness'
      self._record('typo', f'{rows[k].participant} {rows[k].clip}')

  def folder(self, path: str) -> str:
    """Returns the folder of a long video; one of subject 23 goes to 19."""
    if 'misfiled' in self.wanted and MISFILED[0] in path:
      path = path.replace(*MISFILED)
      self._record('misfiled', path)
    return path

  def check_planted(self, shots: Sequence[studio.Shot]) -> None:
    """Raises errors.UserError if a defect requested by name fits no clip."""
    names = {f'{s.subject}/{s.name.split("_", 1)[1]}' for s in shots}
    here = set(self.planted) | {'doubled'}
    if any(fnmatch.filter(names, pattern) for pattern in NOT_CROPPED):
      here.add('incomplete_cropped')
    missing = sorted(self.wanted - here)
    if missing and self.by_name:
      raise errors.UserError(
        f'--defects={",".join(missing)}: no clip of this release fits; add '
        '--macro, or more --clips and --subjects'
      )

  def rearrange(self, folder: pathlib.Path) -> None:
    """Duplicates folder levels and removes face crops."""
    if 'incomplete_cropped' in self.wanted:
      for pattern in NOT_CROPPED:
        for clip in sorted((folder / 'cropped').glob(pattern)):
          shutil.rmtree(clip)
          self._record('incomplete_cropped', str(clip.relative_to(folder)))
    if 'doubled' in self.wanted:
      for tree in sorted(p for p in folder.iterdir() if p.is_dir()):
        # Renamed aside first: a folder cannot be moved into itself.
        inner = folder / f'.{tree.name}'
        tree.rename(inner)
        tree.mkdir()
        inner.rename(tree / tree.name)
        self._record('doubled', f'{tree.name}/{tree.name}')

  def write(self, path: pathlib.Path) -> None:
    """Writes a record of all defects as JSON."""
    path.write_text(json.dumps(self.planted, indent=1, sort_keys=True) + '\n')

  def _pick(self, kind, fit, rows):
    """Picks some of the fitting rows, with the share of the real release."""
    if kind not in self.wanted or not fit:
      return []
    # The real workbook has 357 rows; at least one, or a small release has none.
    share = max(1, round(KINDS[kind] * rows / 357))
    return [int(k) for k in self.rng.permutation(fit)[:share]]

  def _record(self, kind, what):
    self.planted.setdefault(kind, []).append(what)


def _video(shot):
  """The long video to which a clip belongs."""
  return shot.subject, shot.name.split('_')[1]


def _macro_first(chosen, rows):
  """The macro-expressions among the rows; all rows if there are none."""
  macro = [k for k in chosen if rows[k].kind.startswith('macro')]
  return macro or chosen
