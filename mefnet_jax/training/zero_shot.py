"""The protocol zero_shot: a model that has seen none of the clips scores them.

The model is one that lies there already, or it is made first, from rendered
heads alone. It stays in the run's folder, and action_units.csv beside it.
"""

import pathlib
import shutil
import time

import numpy as np

from mefnet_jax.models import inference, motion_input
from mefnet_jax.predict import action_units
from mefnet_jax.predict import model as models
from mefnet_jax.runs import errors, files, model_file
from mefnet_jax.training import jobs, synthetic_model

_FOLDER = 'model'


def train(job: jobs.Job, seeds: tuple[int, ...]) -> list[jobs.Fitted]:
  """Probabilities of all clips by each member of `config.weights`.

  Args:
    job: of the protocol zero_shot; no clip of it is trained on.
    seeds: of the members; as many as the model has.

  Raises:
    errors.UserError: no such model, another number of members, classes or
      clips that it does not fit, or maps in another order or form.
    errors.Stopped: as `synthetic_model.make`.
  """
  started = time.monotonic()
  folder = job.workdir / _FOLDER
  if not job.config.weights:
    synthetic_model.make(
      job.config, job.workdir, console=job.console, stop=job.stop
    )
  model = models.load(job.config.weights or folder)
  if len(model.members) != len(seeds):
    raise errors.UserError(
      f'{model.folder}: it has {len(model.members)} members: set '
      f'--config.seeds={len(model.members)}'
    )
  probabilities = _scored(model, job)
  _copy(model, folder)
  seconds = (time.monotonic() - started) / len(seeds)
  (fold,) = job.splits
  return [
    jobs.Fitted(
      held_out=[p[fold.test]],
      parameters=model.description['parameters'],
      seconds=seconds,
    )
    for p in probabilities
  ]


def _scored(model, job):
  """Probabilities (N, C) by each member; action_units.csv is written."""
  classes = job.source.classes
  unknown = [name for name in classes if name not in model.classes]
  if unknown:
    raise errors.UserError(
      f'{model.folder}: it does not know the class {unknown[0]!r}, only '
      f'{", ".join(model.classes)}: choose labels of those classes'
    )
  answers = model.answers(job.clips)
  (maps,) = model.inputs(job.clips).values()
  action_units.write(
    job.workdir / 'action_units.csv',
    job.source.clip,
    job.source.subject,
    model.network.action_units,
    action_units.mean([out for _, out in answers], _unit(maps)),
  )
  own = [model.classes.index(name) for name in classes]
  return [_among(logits / model.temperature, own) for logits, _ in answers]


def _unit(maps):
  """(N,) the unit of levels, in that of the strongest motion of each map."""
  halves = motion_input.halved(np.asarray(maps)[:, 0])
  most = np.maximum(motion_input.strongest(halves), 1e-6)
  return np.asarray(motion_input.scale(halves) / most)


def _among(logits, own):
  """Probabilities of those classes that the release has."""
  return inference.softmax(logits[:, own].astype(np.float64))


def _copy(model: models.Model, folder: pathlib.Path) -> None:
  """Leaves the model in the run's folder, for the audit and for others."""
  if folder.exists() and folder.samefile(model.folder):
    return
  model_file.begin(folder)
  for one in model.description['members']:
    shutil.copyfile(model.folder / one['file'], folder / one['file'])
  description = (model.folder / model_file.NAME).read_bytes()
  files.write(folder / model_file.NAME, description)
