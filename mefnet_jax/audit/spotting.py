"""The evidence on spotting: events of videos, and the folds of the videos."""

import pathlib
from collections.abc import Iterator

import numpy as np

from mefnet_jax.audit import evidence, overlap
from mefnet_jax.evaluation import folds_file, spotting_rows, spotting_tables
from mefnet_jax.runs import facts as facts_file
from mefnet_jax.runs import predictions


def from_files(
  events: evidence.Path,
  *,
  folds: evidence.Path,
  truth: evidence.Path = '',
  facts: evidence.Path = '',
) -> evidence.Evidence:
  """Reads the evidence from a table of events and the folds of their videos.

  Args:
    events: a table as `spotting_tables` reads it.
    folds: folds.csv, whose clips are videos.
    truth: a table of truths.
    facts: facts.json.

  Raises:
    errors.UserError: a file cannot be read or is invalid.
  """
  split = {
    name: {
      role: {spotting_rows.video_key(clip): who for clip, who in side.items()}
      for role, side in fold.items()
    }
    for name, fold in folds_file.read(pathlib.Path(folds)).items()
  }
  testing = {
    video: (who, name)
    for name, fold in split.items()
    for video, who in fold['test'].items()
  }
  found = {
    spotting_rows.video_key(row['video']): row.get('subject', '')
    for _, row in spotting_tables.read(pathlib.Path(events)).rows
  }
  videos = sorted(found.keys() | testing.keys())
  # A video with events that no fold tests gets no fold, which is a finding.
  scored = [testing.get(video, (found.get(video), '')) for video in videos]
  return evidence.Evidence(
    predictions=predictions.Predictions(
      path=pathlib.Path(events),
      classes=('expression',),
      clip=tuple(videos),
      subject=tuple(who for who, _ in scored),
      fold=tuple(fold for _, fold in scored),
      label=np.zeros(len(videos), int),
      predicted=np.zeros(len(videos), int),
      probabilities=None,
    ),
    folds=split,
    facts=_facts(facts, split) if facts else {},
    spotting=True,
    truth=_truth(truth) if truth else {},
  )


def truth_not_tested(run: evidence.Evidence) -> Iterator[str]:
  """Yields videos with a truth that no fold tests, which hides their misses."""
  tested = {video for fold in run.folds.values() for video in fold['test']}
  missing = sorted(run.truth.keys() - tested)
  if missing:
    yield overlap.count_and_name(missing, 'video')


def _facts(path, split):
  """The content of facts.json, with videos named as in the folds."""
  found = facts_file.read(path, split)
  for fact in found.get('fitted', {}).values():
    if isinstance(fact.get('on'), dict):
      fact['on'] = {
        name: [spotting_rows.video_key(video) for video in videos]
        for name, videos in fact['on'].items()
      }
  by_model = found.get('labels', {}).get('corrected from', {})
  for model, videos in by_model.items():
    by_model[model] = [spotting_rows.video_key(video) for video in videos]
  return found


def _truth(path):
  rows = spotting_tables.read(pathlib.Path(path)).rows
  return {
    spotting_rows.video_key(row['video']): row.get('subject', '')
    for _, row in rows
  }
