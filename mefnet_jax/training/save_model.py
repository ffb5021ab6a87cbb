"""Saves a run's networks as files that can be opened without its release."""

import itertools
import operator
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from mefnet_jax import datasets
from mefnet_jax.datasets import registry
from mefnet_jax.evaluation import conformal
from mefnet_jax.models import normalize, pixel_scaling
from mefnet_jax.runs import checkpoints, model_file
from mefnet_jax.training import jobs, seed_results


def save(
  job: jobs.Job, by_seed: list[seed_results.SeedResult], summary: dict
) -> None:
  """Writes workdir/model: the weights of each fold and seed, and model.json.

  Args:
    job: what has been trained.
    by_seed: the result of each seed.
    summary: the content of report.json.

  Raises:
    OSError: the folder cannot be written.
  """
  if not by_seed[0].weights:
    # zero_shot has copied the model that it scored. transfer has no model: its
    # heads are sums over the features of the training clips.
    return
  folder = job.workdir / model_file.FOLDER
  model_file.begin(folder)
  members, moments = [], {}
  for seed, one in zip(job.seeds, by_seed, strict=True):
    for k, params in enumerate(read_weights(job, one.weights)):
      fold = job.splits[k]
      arrays = model_file.flatten({'params': params, **_pixels(job, fold)})
      file = _name(k, seed, len(job.seeds))
      digest = model_file.write_weights(folder / file, arrays)
      members.append(
        {'file': file, 'fold': fold.name, 'seed': seed, 'sha256': digest}
      )
      if one.moments[k]:
        moments[file] = one.moments[k]
  described = _description(job, summary, members, moments)
  if found := calibration(job, by_seed, summary):
    described['calibration'] = found
  model_file.write_description(folder, described)


def calibration(
  job: jobs.Job, by_seed: list[seed_results.SeedResult], summary: dict
) -> dict:
  """Returns 'calibration' of model.json, from the clips that folds held out.

  Args:
    job: what has been trained.
    by_seed: the result of each seed.
    summary: the content of report.json.

  Returns:
    As `conformal.calibration`; {} for leaky runs and shuffled labels, whose
    scores do not hold for new people.
  """
  if {'LEAKY', 'SHUFFLED LABELS'} & {*summary['notices']}:
    return {}
  order = np.concatenate([fold.test for fold in job.splits])
  return conformal.calibration(
    np.mean([np.concatenate(one.held_out) for one in by_seed], 0),
    np.asarray(job.arrays['label'])[order],
    [f'{job.source.database[i]}/{job.source.subject[i]}' for i in order],
  )


def _name(k, seed, seeds):
  """fold1.safetensors; with several seeds seed0.fold1.safetensors."""
  front = f'seed{seed}.' if seeds > 1 else ''
  return f'{front}fold{k + 1}{model_file.SUFFIX}'


def read_weights(
  job: jobs.Job, places: list[seed_results.Weights]
) -> Iterator[dict]:
  """Yields the parameters of each fold, reading one checkpoint at a time.

  Args:
    job: what has been trained.
    places: the location of each fold's weights, in the order of the folds.
  """
  # A checkpoint holds a whole block; all blocks together may not fit in memory,
  # which is why they were divided.
  like = _shapes(job)
  for _, group in itertools.groupby(places, operator.attrgetter('folder')):
    group = list(group)
    first = group[0]
    tree = jax.tree.map(
      lambda x, front=first.members: np.zeros((*front, *x.shape), x.dtype), like
    )
    params = checkpoints.load(first.folder, first.epoch, {'params': tree})
    for one in group:
      yield jax.tree.map(
        lambda x, at=one.place: np.asarray(x[at]), params['params']
      )


def _shapes(job):
  """Shapes and dtypes of one member's parameters."""
  one = {name: jnp.asarray(x[[0]]) for name, x in job.arrays.items()}
  sample = jax.eval_shape(
    lambda: normalize.batch(
      normalize.measured(one, input_kind=job.config.input),
      jnp.zeros(1, jnp.int32),
      input_kind=job.config.input,
    )
  )
  return jax.eval_shape(job.model.init, jax.random.key(0), sample)['params']


def _pixels(job, fold):
  """The constants of `pixel_scaling`, if the fold's clips were scaled by it."""
  scale = job.pixels
  # Computed again from the unscaled clips, as `cross_validation` did.
  if job.config.protocol.statistics == 'folds':
    streams = pixel_scaling.scalable(job.arrays)
    scale = pixel_scaling.constants(streams, fold.train, job.config.input)
  if not scale:
    return {}
  return {
    'pixels': {
      name: {'mean': mean, 'spread': spread}
      for name, (mean, spread) in scale.items()
    }
  }


def _description(job, summary, members, moments):
  """The content of model.json."""
  config = job.config
  return {
    'network': config.model.to_dict(),
    'classes': list(job.source.classes),
    'input': {'how': config.input, 'streams': _streams(job)},
    'frames': config.dataset.frames,
    'fps': registry.fps(config.dataset),
    'preprocessing': datasets.preprocessing(config.dataset),
    'normalisation': {'scale': config.scale, 'moments': moments},
    'kernels': config.train.kernels,
    'dataset': config.dataset.name,
    'synthetic': job.source.synthetic,
    'licence': registry.licence(config.dataset.name, job.source.synthetic),
    'scores': summary['metrics'],
    **{
      key: summary[key]
      for key in (
        'model',
        'parameters',
        'protocol',
        'selection',
        'intervals',
        'notices',
        'verdict',
        'versions',
        'command',
        'device',
      )
    },
    'members': members,
  }


def _streams(job):
  """Name in the prepared clips, shape and dtype of each input stream."""
  return {
    name: {
      'stored': datasets.stored_stream(name, job.config.input),
      'shape': list(job.arrays[name].shape[1:]),
      'dtype': str(np.dtype(job.arrays[name].dtype)),
    }
    for name in job.model.streams
  }
