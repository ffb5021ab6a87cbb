"""Trains, tests and saves the model that has seen no real face.

python -m mefnet_jax.main --config=configs/mefnet_zero.py:train --workdir=zero
"""

import dataclasses
import pathlib
import threading
import time

import jax
import numpy as np
import rich.console
from flax import linen as nn
from ml_collections import ConfigDict

from mefnet_jax.datasets import registry
from mefnet_jax.evaluation import action_units, intervals, metrics
from mefnet_jax.models import from_config, inference
from mefnet_jax.runs import environment, errors, model_file
from mefnet_jax.synthetic import motion_basis
from mefnet_jax.training import (
  synthetic_calibration,
  synthetic_maps,
  synthetic_training,
)

FOLD = 'zero_shot'
_TESTS = 8  # batches for each convention of framing
_NOTICE = (
  'trained and tested on rendered heads alone; the scores say nothing about '
  'real people'
)


def make(
  config: ConfigDict,
  workdir: pathlib.Path,
  *,
  console: rich.console.Console,
  stop: threading.Event,
) -> dict:
  """Trains a network for each seed and writes workdir/model.

  Args:
    config: as in configs/mefnet_zero.py, already checked.
    workdir: the run's folder.
    console: for progress.
    stop: set when the process is asked to stop.

  Returns:
    The content of model.json.

  Raises:
    errors.Stopped: `stop` was set; nothing is written.
    errors.UserError: the cache cannot be written.
  """
  started = time.monotonic()
  ours = config.synthetic
  learnt, tested = people(ours)
  network = from_config.network(config, len(synthetic_maps.CLASSES))
  seeds = tuple(range(config.seed, config.seed + config.seeds))
  console.print(
    f'SYNTHETIC: {config.model.name}, {len(seeds)} members, '
    f'{ours.people} rendered people framed as each of '
    f'{", ".join(ours.conventions)}, {ours.steps} steps, '
    f'on {environment.devices()}'
  )

  def report(step, losses):
    if stop.is_set():
      raise errors.Stopped
    parts = ', '.join(f'{name} {x:.3f}' for name, x in losses.items())
    console.print(f'step {step}: {parts}')

  members = synthetic_training.train(
    network,
    learnt,
    seeds,
    recipe=_fields(synthetic_training.Recipe, ours),
    settings=synthetic_maps.Settings(),
    each=report,
  )
  tests = test(network, members, tested, config.seed)
  fit = synthetic_calibration.fit
  tests['calibration'] = fit(network, members, tested, config.seed)
  console.print(synthetic_calibration.describe(tests['calibration']))
  folder = workdir / model_file.FOLDER
  model_file.begin(folder)
  rows = zip(members, seeds, strict=True)
  written = [_write_weights(folder, *row) for row in rows]
  description = _description(config, members[0], tests, written)
  description['seconds'] = time.monotonic() - started
  model_file.write_description(folder, description)
  return description


def test(
  network: nn.Module,
  members: list[dict],
  people: dict[str, dict],
  seed: int,
) -> dict:
  """Scores the mean of all members on held-out people.

  Args:
    network: of the model.
    members: the weights of each member.
    people: as of `synthetic_maps.source`, by the convention of their framing.
    seed: for drawing the maps.

  Returns:
    scores and intervals over people as in report.json; conventions: the UAR of
    each; expression: AUC of finding maps with an expression; returning: AUC of
    finding those in which one goes back; units: AUC of each action unit.
  """
  found = {
    name: _mean_outputs(network, members, own, seed)
    for name, own in people.items()
  }
  sides = list(found.values())
  firsts = np.cumsum([0, *(1 + side[0]['who'].max() for side in sides)])
  for (batch, _), first in zip(sides, firsts, strict=False):
    batch['who'] = batch['who'] + first
  batch, mean = jax.tree.map(lambda *x: np.concatenate(x), *sides)
  named, known = batch['named'], batch['coded'] > 0
  label, who = batch['label'][named], batch['who'][named]
  predicted = mean['class'][named].argmax(1)
  count = len(synthetic_maps.CLASSES)
  shown = batch['level'].max(-1) > synthetic_training.SHOWN
  auc = action_units.auc
  tested = {
    'scores': metrics.scores(label, predicted, count),
    'intervals': intervals.bootstrap(label, predicted, who, count),
    'conventions': {
      name: _scores(*own, count)['uar'] for name, own in found.items()
    },
    'expression': auc(mean['expression'], ~batch['idle']),
    'units': {
      f'AU{unit:02d}': auc(mean['unit'][known, a], shown[known, a])
      for a, unit in enumerate(synthetic_maps.AUS)
    },
  }
  if 'returning' in mean:
    tested['returning'] = auc(mean['returning'], batch['returning'])
  return tested


def _mean_outputs(network, members, people, seed):
  """Truth of some batches of these people, and the members' mean outputs."""
  settings, key = synthetic_maps.Settings(), jax.random.key(seed)
  batches = [
    synthetic_training.maps(people, jax.random.fold_in(key, k), settings)
    for k in range(_TESTS)
  ]
  batch = jax.tree.map(lambda *x: np.concatenate(x), *batches)
  found = [_outputs(network, params, batch['maps']) for params in members]
  return batch, {
    name: np.mean([x[name] for x in found], 0) for name in found[0]
  }


def _scores(batch, mean, count):
  named = batch['named']
  predicted = mean['class'][named].argmax(1)
  return metrics.scores(batch['label'][named], predicted, count)


def _outputs(network, params, maps):
  batch = {network.streams[0]: maps[:, None]}
  logits, out = jax.jit(network.apply)({'params': params}, batch)
  found = {
    'class': inference.softmax(np.asarray(logits, np.float64)),
    'expression': np.asarray(out['expression']),
    'unit': np.asarray(out['unit_logit']),
  }
  if 'returning' in out:
    found['returning'] = np.asarray(out['returning'])
  return found


def people(ours: ConfigDict) -> tuple[dict, dict[str, dict]]:
  """Returns the people to train on, and by convention those held out.

  They are rendered if no earlier run has done so.

  Args:
    ours: `config.synthetic`, as in configs/mefnet_zero.py.

  Returns:
    As of `synthetic_maps.source`: of all training people together, and of the
    held-out ones of each convention.

  Raises:
    errors.UserError: fewer people than one batch shows.
  """
  least = synthetic_maps.Settings().people
  for field in ('people', 'held_out'):
    if ours[field] < least:
      raise errors.UserError(
        f'synthetic.{field}={ours[field]}: at least {least}, for a batch shows '
        'as many people'
      )
  learnt, tested = [], {}
  for k, name in enumerate(ours.conventions):
    first = k * (ours.people + ours.held_out)
    learnt.append(_basis(name, ours, first, ours.people))
    other = _basis(name, ours, first + ours.people, ours.held_out)
    tested[name] = synthetic_maps.source(other)
  return synthetic_maps.source(*learnt), tested


def _basis(convention, ours, first, count):
  return motion_basis.load(
    convention,
    seed=ours.people_seed,
    first=first,
    count=count,
    processes=environment.cores(),
  )


def _fields(kind, config):
  """A dataclass filled with the fields of the config that have its names."""
  names = [field.name for field in dataclasses.fields(kind)]
  return kind(**{name: config[name] for name in names if name in config})


def _write_weights(folder, params, seed):
  file = f'seed{seed}{model_file.SUFFIX}'
  arrays = model_file.flatten({'params': params})
  digest = model_file.write_weights(folder / file, arrays)
  return {'file': file, 'fold': FOLD, 'seed': seed, 'sha256': digest}


def _description(config, params, tests, written):
  """The content of model.json."""
  (stream,) = config.model.streams
  side = motion_basis.SIDE
  shape = {'stored': stream, 'shape': [1, side, side, 3], 'dtype': 'uint8'}
  return {
    'network': config.model.to_dict(),
    'model': config.model.name,
    'parameters': sum(x.size for x in jax.tree.leaves(params)),
    'classes': list(synthetic_maps.CLASSES),
    'input': {'how': config.input, 'streams': {stream: shape}},
    'frames': 1,
    'fps': None,
    'preprocessing': {'maps': True},
    'normalisation': {'scale': config.scale, 'moments': {}},
    'kernels': 'xla',
    'dataset': 'motion maps of rendered heads',
    'synthetic': True,
    'licence': registry.licence(config.dataset.name, synthetic=True),
    'protocol': FOLD,
    'selection': 'last',
    'notices': {'SYNTHETIC': _NOTICE},
    **tests,
    'training': {
      'real_clips': 0,
      'maps_per_step': synthetic_maps.Settings().maps,
      'generator': synthetic_maps.generator_digest(),
      **config.synthetic.to_dict(),
    },
    'versions': environment.versions(),
    'device': environment.devices(),
    'command': environment.command(),
    'members': written,
  }
