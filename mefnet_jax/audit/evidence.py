"""What an audit looks at: the files of a run, or what somebody sends of one."""

import collections
import collections.abc
import dataclasses
import pathlib
import re
from typing import Any

from mefnet_jax.evaluation import folds_file
from mefnet_jax.preprocess import perceptual_hash
from mefnet_jax.runs import (
  csv_table,
  errors,
  facts,
  metrics_log,
  names,
  predictions,
)

_CLIPS = ('clip',)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Evidence:
  """All that is known of a run; an audit skips what is not.

  folds: {fold: {role: {clip: subject}}}; assumed where no file says it.
  clips: rows of clips.csv by clip, in the file's order; {} if not given.
  told: as in facts.json. report: as in report.json. history: rows of
  metrics.jsonl. permuted: report.json of the run with permuted labels.
  """

  made: predictions.Predictions
  folds: dict[str, dict[str, dict[str, str]]]
  assumed: bool = False
  clips: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
  told: dict[str, Any] = dataclasses.field(default_factory=dict)
  report: dict[str, Any] = dataclasses.field(default_factory=dict)
  history: list[dict[str, Any]] = dataclasses.field(default_factory=list)
  permuted: dict[str, Any] = dataclasses.field(default_factory=dict)


def from_run(workdir, *, report=None, permuted='') -> Evidence:
  """The evidence that a run left in its workdir.

  Args:
    workdir: of the run.
    report: what report.json will say, where it is not written yet.
    permuted: workdir of the same run with permuted labels, if there is one.

  Raises:
    UserError: a file is missing, damaged, or does not fit the others.
  """
  workdir = pathlib.Path(workdir)
  if not workdir.is_dir():
    raise errors.UserError(f'{workdir}: no such folder: name a run')
  given = {
    name: workdir / file if (workdir / file).exists() else ''
    for name, file in (
      ('folds', 'folds.csv'),
      ('clips', 'clips.csv'),
      ('told', 'facts.json'),
    )
  }
  found = from_files(workdir / 'predictions.csv', **given)
  path = workdir / 'report.json'
  if report is None:
    report = facts.scores(path) if path.exists() else {}
  control = pathlib.Path(permuted) / 'report.json'
  return dataclasses.replace(
    found,
    report=report,
    history=metrics_log.read(workdir),
    permuted=facts.scores(control, permuted=True) if permuted else {},
  )


def from_files(made, *, folds='', clips='', told='', report='') -> Evidence:
  """The evidence of a predictions.csv and what else there is of a run.

  Without `folds` each fold is taken to train on all clips that it does not
  test, as in a cross-validation.

  Raises:
    UserError: a file cannot be read or means nothing, the predictions lack a
      clip that the folds test or have one that they do not name, the folds of
      two files have other names, or their labels are not the same.
  """
  made = predictions.read(made)
  split = _folds(folds, made) if folds else _assumed(made)
  predictions.check(
    made, _clips_of(split, 'test'), _clips_of(split, *folds_file.ROLES)
  )
  return Evidence(
    made=made,
    folds=split,
    assumed=not folds,
    clips=_clips(clips, made) if clips else {},
    told=facts.read(told, split) if told else {},
    report=facts.scores(report) if report else {},
  )


def rows(seen: Evidence) -> list[dict[str, str]]:
  """All clips: rows of clips.csv, what they lack taken from the predictions;
  the predicted clips where there is no such file."""
  made = seen.made
  known = {
    clip: {'clip': clip, 'subject': who, 'label': made.classes[label]}
    for clip, who, label in zip(
      made.clip, made.subject, made.label, strict=True
    )
  }
  return [
    known.get(clip, {}) | {key: x for key, x in row.items() if x}
    for clip, row in (seen.clips or known).items()
  ]


def _clips_of(split, *roles):
  return {
    clip for fold in split.values() for role in roles for clip in fold[role]
  }


def _folds(path, made):
  """The folds of a file, clips and folds called as in the predictions.

  Raises:
    UserError: the two files call their folds by other names.
  """
  found = folds_file.read(path)
  called = predictions.renamed(list(found), list(dict.fromkeys(made.fold)))
  unknown = sorted(set(made.fold) - set(called))
  unused = sorted(
    name
    for name, fold in zip(called, found.values(), strict=True)
    if fold['test'] and name not in set(made.fold)
  )
  if unknown and unused:
    raise errors.UserError(
      f'{path}: folds are named otherwise than in {made.path}: '
      f'{", ".join(unused[:5])} here, {", ".join(unknown[:5])} there; write '
      'both alike (spreadsheets make 6 of 006)'
    )
  clips = list(_clips_of(found, *folds_file.ROLES))
  same = dict(zip(clips, predictions.renamed(clips, made.clip), strict=True))
  return {
    name: {
      role: {same[clip]: who for clip, who in side.items()}
      for role, side in fold.items()
    }
    for name, fold in zip(called, found.values(), strict=True)
  }


class _Others(collections.abc.Mapping):
  """{clip: subject} of all clips but those that a fold tests; no copy."""

  def __init__(self, everyone, tested):
    self._everyone, self._tested = everyone, tested

  def __getitem__(self, clip):
    if clip in self._tested:
      raise KeyError(clip)
    return self._everyone[clip]

  def __iter__(self):
    return (clip for clip in self._everyone if clip not in self._tested)

  def __len__(self):
    return len(self._everyone) - len(self._tested)


def _assumed(made):
  """Each fold of the predictions trains on all that it does not test."""
  everyone = dict(zip(made.clip, made.subject, strict=True))
  tested = collections.defaultdict(dict)
  for clip, who, fold in zip(made.clip, made.subject, made.fold, strict=True):
    tested[fold][clip] = who
  return {
    name: {'train': _Others(everyone, own), 'validation': {}, 'test': own}
    for name, own in tested.items()
  }


def _clips(path, made):
  """Rows by clip; the predicted ones must be among them, once, and alike."""
  rows = [row for _, row in csv_table.filled(path, _CLIPS)]
  called = predictions.renamed([row['clip'] for row in rows], made.clip)
  rows = [row | {'clip': clip} for row, clip in zip(rows, called, strict=True)]
  count = collections.Counter(called)
  true = dict(zip(made.clip, made.label, strict=True))
  keys = [names.label_key(name) for name in made.classes]
  other = [
    row['clip']
    for row in rows
    if row.get('label')
    and row['clip'] in true
    and names.label_key(row['label']) != keys[true[row['clip']]]
  ]
  for wrong, what in (
    (sorted(clip for clip in count if count[clip] > 1), 'doubled clip'),
    (sorted(true.keys() - count.keys()), 'missing clip'),
    (
      [row['clip'] for row in rows if not _is_mark(row.get('mark'))],
      f'a mark is {perceptual_hash.DIGITS} hex digits, or empty; at clip',
    ),
    (other, f'another label than in {made.path}, at clip'),
  ):
    if wrong:
      raise errors.UserError(f'{path}: {what}: {", ".join(wrong[:5])}')
  return {row['clip']: row for row in rows}


def _is_mark(text):
  return not text or bool(
    re.fullmatch(rf'[0-9a-f]{{{perceptual_hash.DIGITS}}}', text)
  )
