"""The protocol zero_shot: a model that has seen none of the clips scores them.

The model is given, or it is trained first, on rendered heads alone. A copy
stays in the run's folder, beside action_units.csv.
"""

import pathlib
import shutil
import time

import numpy as np

from mefnet_jax.models import inference, motion_input
from mefnet_jax.predict import action_units, trained_model
from mefnet_jax.runs import errors, files, model_file, regular_file
from mefnet_jax.training import jobs, seed_results


def train(
  job: jobs.Job, seeds: tuple[int, ...]
) -> list[seed_results.SeedResult]:
  """Scores all clips by each member of `config.weights`.

  Args:
    job: with the protocol zero_shot; none of its clips is trained on.
    seeds: one for each member of the model.

  Returns:
    The result of each member.

  Raises:
    errors.UserError: there is no such model, it has another number of members
      or lacks a class, or the clips do not fit it.
    errors.Stopped: as `synthetic_model.make`.
  """
  started = time.monotonic()
  if not job.config.weights:
    # Imported only here: it takes a third of the start-up time, and few runs
    # need it.
    from mefnet_jax.training import synthetic_model

    synthetic_model.make(
      job.config, job.workdir, console=job.console, stop=job.stop
    )
  model = open_model(job)
  if len(model.members) != len(seeds):
    raise errors.UserError(
      f'{model.folder}: it has {len(model.members)} members: set '
      f'--config.seeds={len(model.members)}'
    )
  job.console.print(f'scoring all clips with {len(seeds)} networks')
  probabilities = _scored(model, job)
  _copy(model, job.workdir / model_file.FOLDER)
  seconds = (time.monotonic() - started) / len(seeds)
  (fold,) = job.splits
  return [
    seed_results.SeedResult(
      held_out=[p[fold.test]],
      parameters=model.description['parameters'],
      seconds=seconds,
    )
    for p in probabilities
  ]


def open_model(job: jobs.Job) -> trained_model.Model:
  """The model that `config.weights` names, or the one in the run's folder.

  Raises:
    errors.UserError: there is no such model, or it lacks a class.
  """
  model = trained_model.load(
    job.config.weights or job.workdir / model_file.FOLDER
  )
  unknown = [name for name in job.source.classes if name not in model.classes]
  if unknown:
    raise errors.UserError(
      f'{model.folder}: it does not know the class {unknown[0]!r}, only '
      f'{", ".join(model.classes)}: choose labels of those classes'
    )
  return model


def outputs(
  model: trained_model.Model, job: jobs.Job
) -> tuple[list[np.ndarray], list[dict[str, np.ndarray]]]:
  """The outputs of each member for all clips.

  Args:
    model: as `open_model` returns it.
    job: with the clips.

  Returns:
    For each member the probabilities (N, C) of the release's classes; for each
    the network's `out`.

  Raises:
    errors.UserError: the clips do not fit the model: other streams, shapes or
      order of channels.
  """
  found = model.answers(job.arrays)
  # A release may have fewer classes than the model.
  own = [model.classes.index(name) for name in job.source.classes]
  probabilities = [
    inference.softmax((logits / model.temperature)[:, own].astype(np.float64))
    for logits, _ in found
  ]
  return probabilities, [out for _, out in found]


def _scored(model, job):
  """Probabilities (N, C) by each member; action_units.csv is written."""
  probabilities, out = outputs(model, job)
  (maps,) = model.inputs(job.arrays).values()
  action_units.write(
    job.workdir / 'action_units.csv',
    job.source.clip,
    job.source.subject,
    model.network.action_units,
    action_units.mean(out, _unit(maps), model.unit_calibration),
  )
  return probabilities


def _unit(maps):
  """The unit (N,) of levels, relative to the strongest motion of each map."""
  halves = motion_input.halved(np.asarray(maps)[:, 0])
  most = np.maximum(motion_input.strongest(halves), 1e-6)
  return np.asarray(motion_input.scale(halves) / most)


def _copy(model: trained_model.Model, folder: pathlib.Path) -> None:
  """Copies the model to the run's folder, for the audit."""
  if folder.exists() and folder.samefile(model.folder):
    return
  model_file.begin(folder)
  for one in model.description['members']:
    with files.aside(folder / one['file']) as temporary:
      shutil.copyfile(model.folder / one['file'], temporary)
  # Last: a folder that lacks it is no model yet.
  description = regular_file.read(model.folder / model_file.NAME)
  files.write(folder / model_file.NAME, description)
