"""Makes the model that has seen no real face: trained, tested, written.

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
_TESTS = 8  # batches that are made of the people of a convention
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
  """Trains a network a seed and writes workdir/model; gives its model.json.

  Args:
    config: as in configs/mefnet_zero.py, already checked.
    workdir: of the run.
    console: for progress.
    stop: set when the process is asked to leave.

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

  def each(step, losses):
    if stop.is_set():
      raise errors.Stopped
    said = ', '.join(f'{name} {x:.3f}' for name, x in losses.items())
    console.print(f'step {step}: {said}')

  members = synthetic_training.train(
    network,
    learnt,
    seeds,
    recipe=_fields(synthetic_training.Recipe, ours),
    settings=synthetic_maps.Settings(),
    each=each,
  )
  tests = test(network, members, tested, config.seed)
  sure = synthetic_calibration.fit(network, members, tested, config.seed)
  console.print(synthetic_calibration.said(sure))
  tests['calibration'] = sure
  folder = workdir / model_file.FOLDER
  model_file.begin(folder)
  written = [
    _written(folder, params, seed)
    for params, seed in zip(members, seeds, strict=True)
  ]
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
  """Scores of the mean of all members on people who were held out.

  Args:
    network, members: and the params of each.
    people: of `synthetic_maps.source`, by the convention of their framing.
    seed: of the maps.

  Returns:
    scores and intervals over people as in report.json; conventions: UAR of
    each; expression and returning: AUC of whether there is one at all, and
    whether one goes back; units: AUC of each action unit.
  """
  found = {
    name: _tested(network, members, own, seed) for name, own in people.items()
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
  made = {
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
    made['returning'] = auc(mean['returning'], batch['returning'])
  return made


def _tested(network, members, people, seed):
  """Truth of some batches of these people, and the members' mean answers."""
  settings, key = synthetic_maps.Settings(), jax.random.key(seed)
  batches = [
    synthetic_training.maps(people, jax.random.fold_in(key, k), settings)
    for k in range(_TESTS)
  ]
  batch = jax.tree.map(lambda *x: np.concatenate(x), *batches)
  found = [_answers(network, params, batch['maps']) for params in members]
  return batch, {
    name: np.mean([x[name] for x in found], 0) for name in found[0]
  }


def _scores(batch, mean, count):
  named = batch['named']
  predicted = mean['class'][named].argmax(1)
  return metrics.scores(batch['label'][named], predicted, count)


def _answers(network, params, maps):
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
  """Those who are learnt from, and by convention those who are held out.

  Args:
    ours: `synthetic` of configs/mefnet_zero.py.

  Returns:
    `synthetic_maps.source` of them, made now or in an earlier run.

  Raises:
    UserError: fewer people than one batch shows.
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
  """A dataclass of the fields that the config has."""
  names = [field.name for field in dataclasses.fields(kind)]
  return kind(**{name: config[name] for name in names if name in config})


def _written(folder, params, seed):
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
