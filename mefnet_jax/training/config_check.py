"""Validates a config before any work is done."""

import jax
import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from mefnet_jax import datasets, ops
from mefnet_jax.datasets import modalities, registry
from mefnet_jax.evaluation import folds
from mefnet_jax.models import from_config, network_check, normalize
from mefnet_jax.runs import config_flag, errors, plugins
from mefnet_jax.training import best_epoch, config_fields, parallel, sampler

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
_GIVEN_WEIGHTS = {  # the only values where a network is not trained
  'train.selection': 'last',
  'protocol.mistake': 'none',
  'protocol.statistics': 'clip',
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
  config_fields.one_of(config, 'input', normalize.CHOICES)
  config_fields.one_of(config, 'train.parallel', parallel.CHOICES)
  config_fields.one_of(config, 'train.kernels', ops.CHOICES)
  config_fields.one_of(config, 'scale', normalize.SCALES)
  config_fields.one_of(config, 'train.sampling', sampler.SAMPLINGS)
  config_fields.one_of(config, 'train.selection', best_epoch.CHOICES)
  _training(config)
  config_fields.finite(config)
  for name in config_fields.present(config, _AT_LEAST_ONE):
    config_fields.at_least(config, name, 1)
  for name, most in _BELOW.items():
    config_fields.below(config, name, most)
  _protocol(config)
  for name in ('dataset.face', 'dataset.eyes', 'dataset.mouth'):
    config_fields.at_least(config, name, 8)
  for name in _NOT_NEGATIVE:
    config_fields.at_least(config, name, 0)
  for name in config_fields.present(config, _SHARES):
    config_fields.at_least(config, name, 0)
    config_fields.below(config, name, 1)
  for name in config_fields.present(config, ('model.kernel', 'model.pool')):
    config_fields.three_sizes(config, name)
  # Built last: its errors are worse to read than those of single fields.
  model = from_config.network(config, num_classes=2)
  clip = shapes(config, model)
  name = config.model.name
  own = plugins.is_own('network', name)
  try:
    if own:
      network_check.check(model, clip)
    else:  # shapes alone: no weights are drawn
      jax.eval_shape(lambda x: model.init(jax.random.key(0), x), clip)
  except (TypeError, ValueError) as error:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    whose = f'network {name!r}: ' if own else ''
    raise errors.UserError(f'config.model: {whose}{reason}') from error


def settle(config: ConfigDict) -> str:
  """Checks a config and replaces train.kernels=auto by what this machine has.

  Returns:
    The choice of kernels for the log, as `choose_kernels` returns it.

  Raises:
    UserError: the config is invalid, names a release that is not there, or asks
      for kernels that cannot run here.
  """
  check(config)
  # Before a minute goes to compiling kernels:
  datasets.options(config.dataset).check()
  if config.dataset.release:
    registry.folder(config.dataset.release)
  return choose_kernels(config)


def choose_kernels(config: ConfigDict) -> str:
  """Replaces train.kernels by what it means on this machine: 'cpu' or 'xla'.

  The choice is thus written to config.json, and a resumed run must make the
  same. Compiles the kernels if they are not in the cache.

  Returns:
    The choice, followed in brackets by the reason if there is one to report:
    of the first call, since later ones find the choice made.

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
  return f'{chosen} ({note})' if note else chosen


def _protocol(config):
  """Checks what `folds.make` would reject after the clips are prepared."""
  folds.why_leaky(config.protocol.name)
  config_fields.at_least(config, 'protocol.folds', 2)
  for field, choices in folds.CHOICES.items():
    config_fields.one_of(config, f'protocol.{field}', choices)
  if 'transfer' in config:
    _transfer(config)
  elif config.protocol.name == 'zero_shot' or 'weights' in config:
    _zero_shot(config)


def _zero_shot(config):
  """Refuses options that need training clips, of which there are none."""
  if 'weights' not in config:
    raise errors.UserError(
      '--config.protocol.name=zero_shot trains nothing: it scores given '
      'weights, with --config=configs/mefnet_zero.py'
    )
  fields = {'protocol.name': 'zero_shot', **_GIVEN_WEIGHTS}
  _only(config, fields, 'given weights are not trained on any clip')


def _transfer(config):
  """Refuses options of a training of the whole network."""
  if config.protocol.name == 'zero_shot':
    raise errors.UserError(
      '--config.protocol.name=zero_shot trains nothing: transfer needs '
      'training clips, set --config.protocol.name=loso'
    )
  if not config.weights:
    raise errors.UserError(
      '--config.weights: empty; name what is trained on, such as mefnet-zero'
    )
  config_fields.at_least(config, 'transfer.folds', 2)
  fields = {'seeds': 1, **_GIVEN_WEIGHTS}
  _only(config, fields, 'transfer trains a head on given weights, in one step')


def _only(config, fields, why):
  """Raises UserError unless fields have the only values that they may have."""
  for path, only in fields.items():
    value = config_fields.get(config, path)
    if value != only:
      raise errors.UserError(
        f'--config.{path}={value}: {why}: set --config.{path}={only}'
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
    config_fields.at_least(config, f'augment.{name}', 0)
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
