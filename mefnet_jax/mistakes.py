"""Mistakes of published experiments, made on purpose: always called LEAKY.

experiments/leakage.py measures what each is worth. Axes of streams: N clips,
T frames, H rows, W columns, C channels.
"""

import dataclasses
import json

import numpy as np

from mefnet_jax import errors, fit, folds

_WHY = {
  'duplicates': (
    'each clip of the rarest class is in the list twice, and the copies of '
    'held-out clips are trained on'
  ),
  'tested_on_training': (
    'the scored clips contain the training clips, as in the validation set '
    'of MicroExpFuseNet'
  ),
}
_STATISTICS = {
  'clip': '',
  'folds': '',
  'all': 'pixel statistics were fitted on all clips, held-out ones included',
}


def why(protocol) -> str:
  """Why a protocol's mistake and statistics are leaky; '' if they are not.

  Raises:
    UserError: config.protocol.mistake or .statistics is none of the choices.
  """
  for field, choices in folds.CHOICES.items():
    if protocol[field] not in choices:
      raise errors.UserError(
        f'--config.protocol.{field}={protocol[field]}: choose one of '
        f'{", ".join(choices)}'
      )
  said = _WHY.get(protocol.mistake, ''), _STATISTICS[protocol.statistics]
  return '; '.join(text for text in said if text)


def make(config, clips, label, splits):
  """The clips, labels and folds with the config's mistake made in them.

  Args:
    config: of the run.
    clips: `datasets.Clips`; label: (N,) classes; splits: honest folds.
  """
  if config.protocol.mistake == 'duplicates':
    clips, label, splits = _with_copies(clips, label, splits)
  elif config.protocol.mistake == 'tested_on_training':
    splits = (_tested_on_training(splits[0]),)
  if config.protocol.statistics == 'all':
    streams = standardised(clips.streams, slice(None), config.input)
    clips = dataclasses.replace(clips, streams=streams)
  return clips, label, splits


def fit_folds(job: fit.Job, seeds: tuple[int, ...]) -> list[fit.Fitted]:
  """`fit.fit`; with statistics of each fold's training clips, fold by fold.

  Folds share no clips then, so each is trained alone, below job.workdir.
  """
  if job.config.protocol.statistics != 'folds':
    return fit.fit(job, seeds)
  alone = [fit.fit(_of_fold(job, fold), seeds) for fold in job.splits]
  _merge_histories(job)
  return [_joined(one) for one in zip(*alone, strict=True)]


def part(one: fit.Fitted, place: slice, rename) -> fit.Fitted:
  """The folds at `place` of a training of several.

  Args:
    one: of all folds.
    place: of the folds that are kept.
    rename: the name of a fold to its new one; '' for folds that are not kept.
  """
  changes = {'seconds': one.seconds * _share(one, place)}
  for field in dataclasses.fields(one):
    value = getattr(one, field.name)
    if isinstance(value, list):
      changes[field.name] = value[place]
    elif isinstance(value, dict):
      named = {rename(name): x for name, x in value.items()}
      changes[field.name] = {n: x for n, x in named.items() if n}
  return dataclasses.replace(one, **changes)


def _share(one, place):
  """The share of the folds that is kept."""
  return len(one.held_out[place]) / max(len(one.held_out), 1)


def _joined(fitted):
  """Trainings of one fold each as one of all: lists and dicts joined."""
  changes = {'seconds': sum(one.seconds for one in fitted)}
  for field in dataclasses.fields(fitted[0]):
    values = [getattr(one, field.name) for one in fitted]
    if isinstance(values[0], list):
      changes[field.name] = [x for value in values for x in value]
    elif isinstance(values[0], dict):
      changes[field.name] = {k: x for value in values for k, x in value.items()}
  return dataclasses.replace(fitted[0], **changes)


def standardised(streams, fitted_on, how: str) -> dict[str, np.ndarray]:
  """Streams (N, T, H, W, C) uint8 with each pixel scaled over the clips.

  128 + 32 z, rounded, of the value or ('difference') of its change since the
  onset frame; mean and spread are those of the clips at `fitted_on`.
  """
  made = {}
  for name, clips in streams.items():
    x = np.asarray(clips, np.float32)
    if how == 'difference':
      x = x - x[:, :1]
    mean, spread = x[fitted_on].mean(0), x[fitted_on].std(0)
    z = (x - mean) / np.maximum(spread, 1.0)
    if how == 'difference':
      z = z - z[:, :1]
    made[name] = np.clip(np.rint(128 + 32 * z), 0, 255).astype(np.uint8)
  return made


def _with_copies(clips, label, splits):
  """Copies of the rarest class behind the clips; each fold trains on all."""
  rarest = np.bincount(label).argmin()
  again = np.flatnonzero(label == rarest)
  copies = len(label) + np.arange(len(again), dtype=np.int32)
  doubled = dataclasses.replace(
    clips,
    streams={
      name: np.concatenate([x, x[again]]) for name, x in clips.streams.items()
    },
    clip=(*clips.clip, *(f'{clips.clip[i]} again' for i in again)),
    subject=(*clips.subject, *(clips.subject[i] for i in again)),
    database=(*clips.database, *(clips.database[i] for i in again)),
    label=np.concatenate([clips.label, clips.label[again]]),
  )
  splits = tuple(
    dataclasses.replace(fold, train=np.concatenate([fold.train, copies]))
    for fold in splits
  )
  return doubled, np.concatenate([label, label[again]]), splits


def _tested_on_training(fold: folds.Fold) -> folds.Fold:
  """One fold that is scored on everything, most of which it trained on."""
  everything = np.sort(np.concatenate([fold.train, fold.test]))
  return dataclasses.replace(fold, test=everything)


def _of_fold(job, fold):
  streams = {name: x for name, x in job.clips.items() if name != 'label'}
  scaled = standardised(streams, fold.train, job.config.input)
  workdir = job.workdir / 'folds' / fold.name
  workdir.mkdir(parents=True, exist_ok=True)
  return dataclasses.replace(
    job,
    clips=scaled | {'label': job.clips['label']},
    splits=(fold,),
    workdir=workdir,
  )


def _merge_histories(job):
  """The folds' metrics.jsonl as one, in the order of epochs."""
  rows = []
  for fold in job.splits:
    path = job.workdir / 'folds' / fold.name / 'metrics.jsonl'
    rows += [json.loads(line) for line in path.read_text().splitlines()]
  rows.sort(key=lambda row: (row['seed'], row['epoch']))
  text = ''.join(json.dumps(row) + '\n' for row in rows)
  (job.workdir / 'metrics.jsonl').write_text(text)
