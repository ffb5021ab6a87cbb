"""Validates a config before any work is done."""

import sys

import jax
import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from mefnet_jax import datasets, ops
from mefnet_jax.datasets import modalities
from mefnet_jax.evaluation import folds
from mefnet_jax.models import from_config, normalize
from mefnet_jax.runs import config_flag, errors
from mefnet_jax.training import best_epoch, parallel, sampler

_SHARES = (
  'augment.brightness',
  'augment.crop',
  'augment.scale',
  'augment.shift',
  'model.dropout',
  'protocol.test_share',
  'train.validation_share',
)
_AT_LEAST_ONE = (
  'seeds',
  'dataset.frames',
  'model.filters',
  'train.batch_size',
  'train.epochs',
)
_BELOW = {
  'seed': 2**31,
  'seeds': 1025,
  'dataset.frames': 1025,
  'dataset.face': 2049,
  'dataset.eyes': 2049,
  'dataset.mouth': 2049,
}
_NOT_NEGATIVE = (
  'seed',
  'augment.jitter',
  'dataset.allow_lost',
  'dataset.workers',
  'train.learning_rate',
  'train.decay',
  'train.weight_decay',
  'train.evaluate_every',
  'train.memory',
  'train.mixup',
  'train.patience',
  'train.checkpoint_every',
)


def check(config: ConfigDict) -> None:
  """Raises UserError if a config is invalid or contradicts itself."""
  config_flag.check_fields(config)
  _one_of(config, 'input', normalize.CHOICES)
  _one_of(config, 'train.parallel', parallel.CHOICES)
  _one_of(config, 'train.kernels', ops.CHOICES)
  _one_of(config, 'scale', normalize.SCALES)
  _one_of(config, 'train.sampling', sampler.SAMPLINGS)
  _one_of(config, 'train.selection', best_epoch.CHOICES)
  _training(config)
  _finite(config)
  for name in _there(config, _AT_LEAST_ONE):
    _at_least(config, name, 1)
  for name, most in _BELOW.items():
    _below(config, name, most)
  _protocol(config)
  for name in ('dataset.face', 'dataset.eyes', 'dataset.mouth'):
    _at_least(config, name, 8)
  for name in _NOT_NEGATIVE:
    _at_least(config, name, 0)
  for name in _SHARES:
    _at_least(config, name, 0)
    _below(config, name, 1)
  for name in _there(config, ('model.kernel', 'model.pool')):
    _three_sizes(config, name)
  model = from_config.network(config, num_classes=2)
  clip = shapes(config, model)
  try:  # shapes alone: no weights are drawn
    jax.eval_shape(lambda x: model.init(jax.random.key(0), x), clip)
  except (TypeError, ValueError) as error:
    reason = str(error).splitlines()[0]
    raise errors.UserError(f'config.model: {reason}') from error


def settle(config: ConfigDict) -> None:
  """Checks a config and replaces train.kernels=auto by what this machine has.

  Raises:
    UserError: the config is invalid, or asks for kernels that cannot run here.
  """
  check(config)
  choose_kernels(config)


def choose_kernels(config: ConfigDict) -> str:
  """Replaces train.kernels by what it means on this machine: 'cpu' or 'xla'.

  The choice is thus written to config.json, and a resumed run must make the
  same. Compiles the kernels if they are not in the cache.

  Returns:
    The choice, followed in brackets by the reason if there is one to report.

  Raises:
    UserError: 'cpu' where the kernels cannot run.
  """
  wanted = config.train.get('kernels', 'auto')  # configs of old runs lack it
  try:
    chosen, note = ops.resolve(wanted)
  except ValueError as error:
    raise errors.UserError(
      f'--config.train.kernels={wanted}: they cannot run here: {error}; set '
      'auto or xla'
    ) from None
  with config.unlocked():
    config.train.kernels = chosen
  if note:
    print(f'kernels: {chosen} ({note})', file=sys.stderr)
  return f'{chosen} ({note})' if note else chosen


def _protocol(config):
  """Checks what `folds.make` would reject after the clips are prepared."""
  folds.why_leaky(config.protocol.name)
  _at_least(config, 'protocol.folds', 2)
  for field, choices in folds.CHOICES.items():
    _one_of(config, f'protocol.{field}', choices)
  if config.protocol.name == 'zero_shot' or 'weights' in config:
    _zero_shot(config)


def _zero_shot(config):
  """Refuses options that need training clips, of which there are none."""
  if 'weights' not in config:
    raise errors.UserError(
      '--config.protocol.name=zero_shot trains nothing: it scores given '
      'weights, with --config=configs/mefnet_zero.py'
    )
  for path, only in (
    ('protocol.name', 'zero_shot'),
    ('train.selection', 'last'),
    ('protocol.mistake', 'none'),
    ('protocol.statistics', 'clip'),
  ):
    if _get(config, path) != only:
      raise errors.UserError(
        f'--config.{path}={_get(config, path)}: given weights are not trained '
        f'on any clip: set --config.{path}={only}'
      )


def _training(config):
  """Raises UserError for training options that contradict each other."""
  if config.train.patience and config.train.selection != 'validation':
    raise errors.UserError(
      f'--config.train.patience={config.train.patience} waits for a better '
      'validation loss: set --config.train.selection=validation'
    )
  if config.train.selection != 'last' and not config.train.evaluate_every:
    raise errors.UserError(
      '--config.train.evaluate_every=0: an epoch can be chosen only among '
      'those that are evaluated; set 1'
    )
  for name in ('flip', 'reverse'):
    _at_least(config, f'augment.{name}', 0)
    if config.augment[name] > 1:
      raise errors.UserError(
        f'--config.augment.{name}={config.augment[name]}: at most 1, it is a '
        'share of the clips'
      )
  if config.train.sampling == 'balanced' and config.train.class_weights:
    raise errors.UserError(
      '--config.train.sampling=balanced draws rare classes more often, and '
      'class weights would count them more once again: set '
      '--config.train.class_weights=False'
    )
  if config.train.mixup and config.dataset.modalities:
    raise errors.UserError(
      f'--config.train.mixup={config.train.mixup}: sounds and words cannot be '
      'mixed; set 0'
    )
  fixed = config.input in ('flow', 'as_is', 'motion')
  if fixed and (config.augment.flip or config.augment.brightness):
    raise errors.UserError(
      f'--config.input={config.input}: flow cannot be mirrored or brightened; '
      'set --config.augment.flip=0 and --config.augment.brightness=0'
    )
  if fixed and config.scale == 'train':
    raise errors.UserError(
      f'--config.scale=train: --config.input={config.input} has a fixed scale'
    )


def shapes(
  config: ConfigDict, model: nn.Module
) -> dict[str, jax.ShapeDtypeStruct]:
  """Returns shape and dtype of the network's input streams for one clip.

  Raises:
    UserError: a stream is not prepared under config.dataset.
  """
  modalities.check(config.dataset)
  return {name: _stream(config, name) for name in model.streams}


def _stream(config, name):
  """Shape and dtype of a stream for one clip."""
  dataset = config.dataset
  if name in modalities.SUFFIXES:
    if name not in dataset.modalities:
      raise errors.UserError(
        f'config.model.streams has {name}: ask for it with '
        f"--config.dataset.modalities=('{name}',)"
      )
    dtype = np.int32 if name == 'text' else np.float32
    shape = modalities.shapes(dataset)[name]
    return jax.ShapeDtypeStruct((1, *shape), dtype)
  stored = datasets.shapes(dataset)
  name = datasets.stored_stream(name, config.input)
  if ',' in name:
    raise errors.UserError(
      f'--config.model.streams={name}: write a list as '
      f'"--config.model.streams={tuple(name.split(","))}"'
    )
  if name not in stored:
    raise errors.UserError(
      f'no stream {name!r} is prepared, only {", ".join(stored)}: see '
      '--config.model.streams and --config.input; flow needs '
      '--config.dataset.flow=dis (of megc_flow, --config.input=as_is)'
    )
  try:
    shape = normalize.input_shape(stored[name], config.input)
  except ValueError as error:
    raise errors.UserError(
      f'--config.input={config.input}: {name}: {error}'
    ) from None
  return jax.ShapeDtypeStruct((1, *shape), np.float32)


def _there(config, paths):
  """Yields those of the fields that this config has: networks differ."""
  for path in paths:
    place, _, name = path.rpartition('.')
    if name in (_get(config, place) if place else config):
      yield path


def _get(config, path):
  for name in path.split('.'):
    config = config[name]
  return config


def _one_of(config, path, choices):
  value = _get(config, path)
  if value not in choices:
    raise errors.UserError(
      f'--config.{path}={value}: choose one of {", ".join(choices)}'
    )


def _finite(config, prefix=''):
  for name, value in config.items():
    if hasattr(value, 'items'):
      _finite(value, f'{prefix}{name}.')
    elif isinstance(value, float) and not np.isfinite(value):
      raise errors.UserError(f'--config.{prefix}{name}={value}: not finite')


def _at_least(config, path, least):
  value = _get(config, path)  # "not ... >=", so that nan is refused
  if not value >= least:
    raise errors.UserError(f'--config.{path}={value}: at least {least}')


def _below(config, path, most):
  value = _get(config, path)
  if not value < most:
    raise errors.UserError(f'--config.{path}={value}: below {most}')


def _three_sizes(config, path):
  value = _get(config, path)
  whole = all(isinstance(size, int) and size > 0 for size in value)
  if len(value) != 3 or not whole:
    raise errors.UserError(
      f'--config.{path}={tuple(value)}: three whole numbers of at least 1 are '
      "needed: frames, rows, columns, as in '(15,3,3)'"
    )
