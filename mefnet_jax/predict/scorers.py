"""Scorers: trained models that find expressions and name their classes.

A model for motion maps, such as mefnet-zero, does both. A run's network has
learnt clips of expressions alone and cannot tell that there is none. So
mefnet-zero finds the expressions, and the run's network names each, from the
frames of onset to offset, prepared as the run's own clips were.
"""

import jax
import numpy as np

from mefnet_jax.evaluation import conformal
from mefnet_jax.models import inference
from mefnet_jax.predict import expressions, motion_scores, trained_model
from mefnet_jax.preprocess import clips, faces, flow, options, registration
from mefnet_jax.runs import errors

ZERO = 'mefnet-zero'
_MAPS = 'motion'  # the input of models for motion maps
AT_ONCE = 16  # maps that a program is compiled for


def scorer(
  model: trained_model.Model,
  finder: trained_model.Model | None = None,
  *,
  at_once: int = AT_ONCE,
) -> expressions.Scorer:
  """Returns the `expressions.Scorer` of a model.

  Args:
    model: for motion maps, or of a run.
    finder: a model for motion maps, which finds the expressions where `model`
      is a run's; by default mefnet-zero.
    at_once: maps in a batch. A single map is answered sooner in a batch of one.

  Raises:
    errors.UserError: the model's input (sound, words, colour) is not in the
      frames of a video.
  """
  if model.input_kind == _MAPS:
    return MotionScorer(model, at_once)
  zero = MotionScorer(finder or trained_model.load(ZERO), at_once)
  return RunScorer(model, zero)


class MotionScorer:
  """A model for motion maps: finds expressions and names them."""

  needs_squares = False

  def __init__(self, model: trained_model.Model, at_once: int = AT_ONCE):
    self._model, self.classes = model, model.classes
    self._at_once = at_once
    self.lacks = conformal.stored_threshold(model.description)
    self.action_units = tuple(model.network.action_units)
    self.moments(np.zeros((1, *_shape(model)), np.float32))  # compiles

  def moments(self, maps: np.ndarray) -> expressions.Moments:
    """As `expressions.Scorer.moments`."""
    scores = self._scores(maps)
    return expressions.Moments(
      scores.expression, scores.returning, scores.units
    )

  def answer(self, expression: expressions.Expression) -> expressions.Answer:
    """The model's answer to an expression's motion."""
    scores = self._scores(expression.middle[None])
    best = int(scores.classes[0].argmax())
    return expressions.Answer(
      float(scores.expression[0]),
      dict(zip(self._model.classes, scores.classes[0].tolist(), strict=True)),
      float(scores.spread[0, best]),
      {name: x[0] for name, x in scores.units.items()},
      float(scores.returning[0]),
    )

  def _scores(self, maps):
    """The scores of any number of maps, in batches of `at_once`."""

    def step(index):
      # Padded here too: one program serves fewer maps than `at_once`.
      padded = np.zeros((self._at_once, *maps.shape[1:]), np.float32)
      padded[: len(index)] = maps[index]
      scores = motion_scores.score(self._model, padded)
      return jax.tree.map(lambda x: x[: len(index)], scores)

    index = np.arange(len(maps))
    return inference.in_batches(step, index, self._at_once, floats=None)


class RunScorer:
  """A run's network, which names the expressions that another model finds."""

  def __init__(self, model: trained_model.Model, finder: MotionScorer):
    self._model, self._finder = model, finder
    self.classes = model.classes
    self.lacks = conformal.stored_threshold(model.description)
    self.action_units = finder.action_units
    self._how = _preparation(model)
    self.needs_squares = self._how is not None
    self._members = [model.member(*one) for one in model.members]

    @jax.jit
    def logits(params, batch):
      return model.network.apply({'params': params}, batch, train=False)[0]

    self._logits = logits

  def moments(self, maps: np.ndarray) -> expressions.Moments:
    """The finder's answers to windows."""
    return self._finder.moments(maps)

  def answer(self, expression: expressions.Expression) -> expressions.Answer:
    """The finder's confidence and action units, this model's classes."""
    found = self._finder.answer(expression)
    streams = (
      _stretched(expression.middle)
      if self._how is None
      else _prepared(expression, self._how)
    )
    members = inference.softmax(
      np.concatenate(
        [
          self._logits(one.params, self._model.views(streams, one))
          for one in self._members
        ]
      ).astype(np.float64)
      / self._model.temperature
    )
    mean = members.mean(0)
    return found._replace(
      probabilities=dict(zip(self._model.classes, mean.tolist(), strict=True)),
      spread=float(members[:, mean.argmax()].std()),
    )


def _shape(model):
  ((_, height, width, _),) = model.streams.values()
  return height, width, 2


def _preparation(model):
  """The options by which a run prepared its clips; None for flow maps."""
  how = dict(model.description['preprocessing'])
  unseen = {'sound', 'text'} & {*model.streams}
  if unseen:
    raise errors.UserError(
      f'{model.folder}: this model needs {unseen.pop()}, which predict does '
      'not read: use one that looks at faces alone'
    )
  if how.pop('maps', False):
    return None
  try:
    prepared = options.Options(**how)
  except TypeError as error:
    raise errors.UserError(
      f'{model.folder}: its clips were prepared with options that this version '
      f'does not have ({error})'
    ) from None
  if prepared.colour:
    raise errors.UserError(
      f'{model.folder}: this model needs colours, but predict reads grey '
      'frames: use one with preprocessing.colour false'
    )
  return prepared


def _prepared(expression, how):
  """The streams of one clip, (1, T, S, S, C) uint8."""
  squares = list(expression.squares)
  aligned = clips.Aligned(
    squares,
    tuple(range(len(squares))),
    0,
    faces.Landmarks(expression.points),
    [registration.identity()] * len(squares),
  )
  return {name: x[None] for name, x in clips.crop_streams(aligned, how).items()}


def _stretched(middle):
  """A motion map as the public ones: strain added, channels of 0 to 255."""
  strain = flow.strain(middle[None])[0]
  whole = np.concatenate([middle, strain[..., None]], axis=-1)
  low, high = whole.min((0, 1)), whole.max((0, 1))
  levels = 255 * (whole - low) / np.maximum(high - low, 1e-9)
  image = np.rint(levels).astype(np.uint8)[None]
  half = image.shape[1] // 2
  return {
    'face': image[None],
    'eyes': image[None, :, :half],
    'mouth': image[None, :, half:],
  }
