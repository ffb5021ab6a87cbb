"""A finished run as it can be explained: clips, folds, weights."""

import dataclasses
import functools
import json
import pathlib

import jax
import ml_collections
import numpy as np
from flax import linen as nn

from mefnet_jax import (
  datasets,
  errors,
  evaluate,
  fit,
  folds,
  inputs,
  models,
  protocol,
  settings,
)

_RENDERED = 'SYNTHETIC'


@dataclasses.dataclass(frozen=True)
class Run:
  """A run's clips and the weights of each fold.

  held_out: for each clip, the fold that never saw it; -1 for clips that no
  fold tests. probabilities: (N, C) by that fold; NaN where there is none.
  params: leaves (folds, ...). measured: `inputs.measured` clips. warned:
  words such as LEAKY that must stand upon all that is shown, and why.
  """

  config: ml_collections.ConfigDict
  clips: datasets.Clips
  splits: tuple[folds.Fold, ...]
  model: nn.Module
  params: dict
  held_out: np.ndarray
  probabilities: np.ndarray
  seed: int
  measured: dict
  warned: dict[str, str] = dataclasses.field(default_factory=dict)

  @property
  def synthetic(self) -> bool:
    """Whether its faces belong to nobody."""
    return self.clips.synthetic

  @property
  def notices(self) -> dict[str, str]:
    """SYNTHETIC, LEAKY, SHUFFLED LABELS: those that hold, and why."""
    known = {
      word: why for word, why in self.warned.items() if word != _RENDERED
    }
    why = 'the clips show rendered faces, free to be shown'
    return {_RENDERED: why, **known} if self.synthetic else known

  def views(self, index) -> dict[str, np.ndarray]:
    """What the network sees of some clips: streams (n, T, H, W, C), masks."""
    how = self.config.input
    batch = inputs.batch(self.measured, np.asarray(index), how=how)
    return {n: np.asarray(x) for n, x in batch.items() if n != 'label'}

  def weights(self, fold: int) -> dict:
    """One fold's parameters."""
    return jax.tree.map(lambda a: a[fold], self.params)


def load(workdir: pathlib.Path) -> Run:
  """Loads a finished run.

  The probabilities of its held-out clips are computed anew and compared with
  those that the run left: other clips, folds or weights would show.

  Raises:
    UserError: no such run, one that is not finished, or one whose release
      has changed since.
  """
  config = read_config(workdir)
  settings.check(config)
  made = protocol.prepare(config, workdir)
  splits, label = made.job.splits, made.job.clips['label']
  clips = dataclasses.replace(made.clips, label=label)
  held_out = np.full(len(label), -1)
  for k, fold in enumerate(splits):
    held_out[fold.test] = k
  measured = _measured(made.job, splits)
  model = made.job.model
  params, answers = fit.trained(workdir, model, measured, config.seed)
  empty = np.full((len(label), len(clips.classes)), np.nan)
  run = Run(
    *(config, clips, splits, model, params),
    *(held_out, empty, config.seed, measured, _warned(workdir, config)),
  )
  probabilities = _judge(run)
  _compare(workdir, splits, probabilities, answers)
  return dataclasses.replace(run, probabilities=probabilities)


def _warned(workdir, config):
  """What the report warns of; without a report, what the protocol says."""
  try:
    return json.loads((workdir / 'report.json').read_text())['notices']
  except (OSError, ValueError, KeyError):
    reason = folds.is_leaky(config.protocol.name)
    return {'LEAKY': reason} if reason else {}


def _measured(job, splits):
  """The clips with the moments by which their own fold scales them."""
  measured = inputs.measured(job.clips, how=job.config.input)
  measured = jax.tree.map(np.array, measured)
  if job.config.scale == 'train':
    for fold in splits:
      of_fold = inputs.of_training(measured['moments'], fold.train, job.clips)
      for name, moments in measured['moments'].items():
        for own_N, value in zip(moments, of_fold[name], strict=True):
          own_N[fold.test] = value
  return measured


def choose(run: Run, wanted: str) -> np.ndarray:
  """Indices of held-out clips: names, a number of them, or 'all'.

  A number takes so many clips, classes in turn and spread over the people.

  Raises:
    UserError: a name that the run does not know or never held out.
  """
  tested = np.flatnonzero(run.held_out >= 0)
  if wanted == 'all':
    return tested
  if wanted.isdecimal() and int(wanted):
    label = run.clips.label[tested]
    turn = np.concatenate(
      [_spread(np.flatnonzero(label == c)) for c in np.unique(label)]
    )
    rank = np.concatenate(
      [np.arange((label == c).sum()) for c in np.unique(label)]
    )
    return np.sort(tested[turn[np.argsort(rank, kind='stable')][: int(wanted)]])
  return np.array([_place(run, name) for name in wanted.split(',')])


def _spread(index):
  """The same indices, neighbours far apart."""
  steps = (np.arange(len(index)) * 0.61803398875) % 1
  return index[np.argsort(steps, kind='stable')]


def _place(run, name):
  if name not in run.clips.clip:
    some = ', '.join(run.clips.clip[:3])
    raise errors.UserError(
      f'--clips={name}: no such clip: names are such as {some}'
    )
  at = run.clips.clip.index(name)
  if run.held_out[at] < 0:
    raise errors.UserError(
      f'--clips={name}: no fold of {run.config.protocol.name} held it out, so '
      'nothing honest can be said of it: choose a clip of predictions.csv'
    )
  return at


def read_config(workdir: pathlib.Path) -> ml_collections.ConfigDict:
  """The config that a run left.

  Raises:
    UserError: there is none.
  """
  path = workdir / 'config.json'
  try:
    content = json.loads(path.read_text())
    return ml_collections.ConfigDict(_tuples(content))
  except (OSError, ValueError, TypeError) as error:
    raise errors.UserError(
      f'{path}: cannot be read ({error}): give the folder of a run with '
      '--workdir, as mefnet_jax.main left it'
    ) from error


def stream_names(config) -> tuple[str, ...]:
  """The streams that the config's network looks at."""
  chosen = config.model.get('streams')
  return models.views(config.model.name, *([chosen] if chosen else []))


def _tuples(value):
  """JSON's lists as the tuples that they were."""
  if isinstance(value, dict):
    return {name: _tuples(v) for name, v in value.items()}
  return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _judge(run):
  """(N, C) probabilities of each clip by the fold that never saw it."""
  tell = jax.jit(functools.partial(_logits, run.model))
  probabilities = run.probabilities.copy()
  for k, fold in enumerate(run.splits):
    params = run.weights(k)
    for i in range(0, len(fold.test), 32):
      part = fold.test[i : i + 32]
      index = np.resize(part, 32)  # one shape, one compilation
      logits = np.asarray(tell(params, run.views(index)), np.float64)
      probabilities[part] = evaluate.softmax(logits[: len(part)])
  return probabilities


def _logits(model, params, batch):
  return model.apply({'params': params}, batch, train=False)[0]


def _compare(workdir, splits, found, noted):
  for fold, said in zip(splits, noted, strict=True):
    said = np.array(said)
    if said.shape != found[fold.test].shape or not np.allclose(
      said, found[fold.test], atol=1e-3
    ):
      raise errors.UserError(
        f'{workdir}: its weights now say something else of the clips of '
        f'{fold.name}: the release or the code has changed since; run '
        'mefnet_jax.main again in a new --workdir'
      )
