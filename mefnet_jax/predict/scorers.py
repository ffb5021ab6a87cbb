"""What finds expressions, and what names them.

A model for motion maps, as mefnet-zero, does both. The network of a run has
learnt clips of expressions alone and cannot say that there is none: mefnet-zero
finds them then, and the run's network names what was found, from the clip of
onset to offset prepared as its own clips were.
"""

import jax
import numpy as np

from mefnet_jax.evaluation import conformal
from mefnet_jax.models import inference
from mefnet_jax.predict import expressions, motion_scores
from mefnet_jax.predict import model as models
from mefnet_jax.preprocess import clips, faces, flow, options, registration
from mefnet_jax.runs import errors

ZERO = 'mefnet-zero'
_MAPS = 'motion'  # the input of models for motion maps
AT_ONCE = 16  # maps that a program is compiled for
_STRAIN = 3  # channels of a public map: flow to the right, down, and strain


def scorer(
  model: models.Model,
  finder: models.Model | None = None,
  *,
  at_once: int = AT_ONCE,
) -> expressions.Scorer:
  """Returns an `expressions.Scorer` that a model stands behind.

  Args:
    model: any.
    finder: a model for motion maps that finds expressions where `model` looks
      at clips; by default mefnet-zero.
    at_once: maps that a program is compiled for; who asks about one at a time
      gets an answer sooner from a program for one.

  Raises:
    errors.UserError: a model that looks at what a video does not show.
  """
  if model.input_kind == _MAPS:
    return Motion(model, at_once)
  return Clips(model, Motion(finder or models.load(ZERO), at_once))


class Motion:
  """A model for motion maps: finds expressions and names them."""

  needs_squares = False

  def __init__(self, model: models.Model, at_once: int = AT_ONCE):
    self._model, self.classes = model, model.classes
    self._at_once = at_once
    self.lacks = conformal.stored_threshold(model.description)
    self.action_units = tuple(model.network.action_units)
    self.moments(np.zeros((1, *_shape(model)), np.float32))  # compiles

  def moments(self, maps: np.ndarray) -> expressions.Moments:
    """Probabilities of windows, see `expressions.Moments`."""
    said = self._scores(maps)
    return expressions.Moments(said.expression, said.returning, said.units)

  def answer(self, expression: expressions.Expression) -> expressions.Answer:
    """What the model says of an expression's motion."""
    said = self._scores(expression.middle[None])
    best = int(said.classes[0].argmax())
    return expressions.Answer(
      float(said.expression[0]),
      dict(zip(self._model.classes, said.classes[0].tolist(), strict=True)),
      float(said.spread[0, best]),
      {name: x[0] for name, x in said.units.items()},
      float(said.returning[0]),
    )

  def _scores(self, maps):
    """Asked in parts of one size, so that one program is compiled."""
    parts = []
    for start in range(0, len(maps), self._at_once):
      part = maps[start : start + self._at_once].astype(np.float32)
      padded = np.zeros((self._at_once, *part.shape[1:]), np.float32)
      padded[: len(part)] = part
      parts.append(_first(motion_scores.score(self._model, padded), len(part)))
    return _joined(parts)


class Clips:
  """A run's network, which names what another model finds."""

  def __init__(self, model: models.Model, finder: Motion):
    self._model, self._finder = model, finder
    self.classes = model.classes
    self.lacks = conformal.stored_threshold(model.description)
    self.action_units = finder.action_units
    self._how = _preparation(model)
    self.needs_squares = self._how is not None
    listed = model.description['members']
    self._members = [model.member(one['fold'], one['seed']) for one in listed]

    @jax.jit
    def logits(params, batch):
      return model.network.apply({'params': params}, batch, train=False)[0]

    self._logits = logits

  def moments(self, maps: np.ndarray) -> expressions.Moments:
    """What the finder says of windows."""
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


def _first(said, count):
  """Scores of the first maps."""
  return motion_scores.Scores(
    said.classes[:count],
    said.spread[:count],
    said.expression[:count],
    said.returning[:count],
    {name: x[:count] for name, x in said.units.items()},
  )


def _joined(parts):
  names = ('classes', 'spread', 'expression', 'returning')
  return motion_scores.Scores(
    *(np.concatenate([getattr(p, name) for p in parts]) for name in names),
    {n: np.concatenate([p.units[n] for p in parts]) for n in parts[0].units},
  )


def _preparation(model):
  """How the clips of a run were prepared; None where they were flow maps."""
  how = dict(model.description['preprocessing'])
  unseen = {'sound', 'text'} & {*model.streams}
  if unseen:
    raise errors.UserError(
      f'{model.folder}: this model takes in {unseen.pop()}, which predict does '
      'not read: name one that looks at faces alone'
    )
  if how.pop('maps', False):
    return None
  try:
    made = options.Options(**how)
  except TypeError as error:
    raise errors.UserError(
      f'{model.folder}: clips prepared as this version does not ({error})'
    ) from None
  if made.colour:
    raise errors.UserError(
      f'{model.folder}: this model looks at colours, predict at grey frames: '
      'name one with preprocessing.colour false'
    )
  return made


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
  """A motion map as the public ones are, each channel stretched to 0..255."""
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
