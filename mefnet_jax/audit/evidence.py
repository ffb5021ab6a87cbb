"""The evidence for an audit: the files of a run, or files from elsewhere."""

import collections
import dataclasses
import os
import pathlib
import re
from typing import Any

from mefnet_jax.evaluation import folds_file
from mefnet_jax.preprocess import perceptual_hash
from mefnet_jax.runs import (
  csv_table,
  errors,
  metrics_log,
  model_file,
  names,
  predictions,
  workdirs,
)
from mefnet_jax.runs import facts as facts_file

Path = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Evidence:
  """Everything that is known about a run; missing parts are empty.

  Attributes:
    predictions: those of its held-out clips.
    folds: as `folds_file.read` returns them.
    assumed: whether the folds are assumed, because no file lists them.
    clip_rows: the rows of clips.csv by clip, in the order of the file.
    facts: the content of facts.json.
    report: the content of report.json.
    history: the rows of metrics.jsonl.
    model: the content of model.json, for a zero-shot run.
    permuted: the content of report.json of the run with permuted labels.
    spotting: whether the clips are videos in which events were spotted.
    truth: for spotting, the subject of each video that has a truth.
  """

  predictions: predictions.Predictions
  folds: folds_file.Table
  assumed: bool = False
  clip_rows: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
  facts: dict[str, Any] = dataclasses.field(default_factory=dict)
  report: dict[str, Any] = dataclasses.field(default_factory=dict)
  history: list[dict[str, Any]] = dataclasses.field(default_factory=list)
  model: dict[str, Any] = dataclasses.field(default_factory=dict)
  permuted: dict[str, Any] = dataclasses.field(default_factory=dict)
  spotting: bool = False
  truth: dict[str, str] = dataclasses.field(default_factory=dict)


def from_run(
  workdir: Path, *, report: dict[str, Any] | None = None, permuted: Path = ''
) -> Evidence:
  """Reads the evidence that a run left in its workdir.

  Args:
    workdir: the run's folder.
    report: the content of report.json, if it is not written yet.
    permuted: workdir of the same run with permuted labels, if there is one.

  Raises:
    UserError: a file is missing or damaged, or contradicts another one.
  """
  workdir = pathlib.Path(workdir)
  if not workdir.is_dir():
    raise errors.UserError(f'{workdir}: no such folder: name a run')
  paths = {
    name: workdir / file if (workdir / file).exists() else ''
    # Only predictions.csv is required, since runs of other programs may lack
    # these.
    for name, file in (
      ('folds', folds_file.FILE),
      ('clips', 'clips.csv'),
      ('facts', facts_file.FILE),
    )
  }
  found = from_files(workdir / predictions.FILE, **paths)
  path = workdir / workdirs.REPORT
  if report is None:
    report = facts_file.scores(path) if path.exists() else {}
  control = pathlib.Path(permuted) / workdirs.REPORT
  zero_shot = report.get('protocol') == 'zero_shot'
  return dataclasses.replace(
    found,
    report=report,
    history=metrics_log.read(workdir),
    model=_model(workdir / model_file.FOLDER) if zero_shot else {},
    permuted=facts_file.scores(control, permuted=True) if permuted else {},
  )


def _model(folder):
  """model.json, if its weights are those that it names; {} without one."""
  if not (folder / model_file.NAME).exists():
    return {}
  found = model_file.read_description(folder)
  # Only to compare their digests; the arrays are dropped.
  for member in found['members']:
    model_file.read_weights(folder, member)
  return found


def from_files(
  path: Path,
  *,
  folds: Path = '',
  clips: Path = '',
  facts: Path = '',
  report: Path = '',
) -> Evidence:
  """Reads the evidence from a predictions.csv and further files of a run.

  Args:
    path: predictions.csv.
    folds: folds.csv. Without it each fold is assumed to train on all clips that
      it does not test, as in a cross-validation.
    clips: clips.csv.
    facts: facts.json.
    report: report.json.

  Raises:
    UserError: a file cannot be read or is invalid, the predictions lack a clip
      that the folds test or hold one that the folds do not list, or two files
      disagree on the names of folds or on a label.
  """
  predicted = predictions.read(path)
  split = _folds(folds, predicted) if folds else _assumed_folds(predicted)
  predictions.check_clips(
    predicted,
    {clip for fold in split.values() for clip in fold['test']},
    _all_clips(split),
  )
  return Evidence(
    predictions=predicted,
    folds=split,
    assumed=not folds,
    clip_rows=_clips(clips, predicted) if clips else {},
    facts=facts_file.read(facts, split) if facts else {},
    report=facts_file.scores(report) if report else {},
  )


def completed_rows(run: Evidence) -> list[dict[str, str]]:
  """Returns the rows of clips.csv, completed from the predictions.

  Args:
    run: the evidence on the run.

  Returns:
    One row per clip; without a clips.csv, the clip, subject and label of each
    prediction.
  """
  predicted = run.predictions
  known = {
    clip: {'clip': clip, 'subject': who, 'label': predicted.classes[label]}
    for clip, who, label in zip(
      predicted.clip, predicted.subject, predicted.label, strict=True
    )
  }
  return [
    known.get(clip, {}) | {key: x for key, x in row.items() if x}
    for clip, row in (run.clip_rows or known).items()
  ]


def _all_clips(split):
  """All clips that have a role in some fold."""
  sides = [side for fold in split.values() for side in fold.values()]
  # All views show the same clips, so one of them is enough.
  views = [side for side in sides if isinstance(side, folds_file.Others)]
  plain = [side for side in sides if not isinstance(side, folds_file.Others)]
  return {clip for side in [*views[:1], *plain] for clip in side}


def _folds(path, predicted):
  """Reads folds.csv, with clips and folds named as in the predictions.

  Raises:
    UserError: the two files name their folds differently.
  """
  found = folds_file.read(path)
  fold_names = predictions.renamed(
    list(found), list(dict.fromkeys(predicted.fold))
  )
  unknown = sorted(set(predicted.fold) - set(fold_names))
  unused = sorted(
    name
    for name, fold in zip(fold_names, found.values(), strict=True)
    if fold['test'] and name not in set(predicted.fold)
  )
  # Both must be there: a fold that is tested and never predicted is another
  # mistake, which its clips reveal.
  if unknown and unused:
    raise errors.UserError(
      f'{path}: folds have other names than in {predicted.path}: '
      f'{", ".join(unused[:5])} here, {", ".join(unknown[:5])} there; use the '
      'same names (spreadsheets turn 006 into 6)'
    )
  clips = list(_all_clips(found))
  same = dict(
    zip(clips, predictions.renamed(clips, predicted.clip), strict=True)
  )
  if all(clip == name for clip, name in same.items()):
    return dict(zip(fold_names, found.values(), strict=True))
  return {
    name: {
      role: {same[clip]: who for clip, who in side.items()}
      for role, side in fold.items()
    }
    for name, fold in zip(fold_names, found.values(), strict=True)
  }


def _assumed_folds(predicted):
  """Folds that train on all predicted clips that they do not test."""
  everyone = dict(zip(predicted.clip, predicted.subject, strict=True))
  tested = collections.defaultdict(dict)
  for clip, who, fold in zip(
    predicted.clip, predicted.subject, predicted.fold, strict=True
  ):
    tested[fold][clip] = who
  return {
    name: {
      'train': folds_file.Others(everyone, test.keys()),
      'validation': {},
      'test': test,
    }
    for name, test in tested.items()
  }


def _clips(path, predicted):
  """Rows of clips.csv by clip, checked against the predictions."""
  rows = [row for _, row in csv_table.filled(path, ['clip'])]
  clip_names = predictions.renamed(
    [row['clip'] for row in rows], predicted.clip
  )
  rows = [
    row | {'clip': clip} for row, clip in zip(rows, clip_names, strict=True)
  ]
  count = collections.Counter(clip_names)
  true = dict(zip(predicted.clip, predicted.label, strict=True))
  # Spelling differs between tools: 'Happiness' in one file, 'happiness' in
  # another.
  keys = [names.label_key(name) for name in predicted.classes]
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
      [row['clip'] for row in rows if not _is_hash(row.get('mark'))],
      f'a mark is {perceptual_hash.DIGITS} hex digits, or empty; at clip',
    ),
    (other, f'another label than in {predicted.path}, at clip'),
  ):
    if wrong:
      raise errors.UserError(f'{path}: {what}: {", ".join(wrong[:5])}')
  return {row['clip']: row for row in rows}


def _is_hash(text):
  # Empty for a clip without pixels, such as a video of events.
  return not text or bool(
    re.fullmatch(rf'[0-9a-f]{{{perceptual_hash.DIGITS}}}', text)
  )
