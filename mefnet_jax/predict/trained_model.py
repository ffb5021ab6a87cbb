"""Trained networks as files, which open without the data set."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax import linen as nn

from mefnet_jax import models
from mefnet_jax.evaluation import conformal
from mefnet_jax.models import field_values, inference, normalize, pixel_scaling
from mefnet_jax.predict import clip_streams, programs
from mefnet_jax.runs import errors, model_file

_BATCH = 32  # clips that the network sees at once
# Of `answers`. The last digits of an answer depend on the size of its batch:
# the public motion maps (442) are one batch.
_LARGE_BATCH = 512
SHIPPED = pathlib.Path(__file__).parents[1] / 'weights'


def load(path: str | os.PathLike) -> 'Model':
  """Opens a model.

  Args:
    path: a model folder, or the workdir of a run that holds one; or the name
      of a model that ships with the package, 'mefnet-zero'.

  Raises:
    errors.UserError: there is no model, it is damaged or of another version, or
      its weights are not those of the network that it names.
  """
  folder = _folder(path)
  inner = folder / model_file.FOLDER
  if not (folder / model_file.NAME).exists() and inner.is_dir():
    folder = inner
  description = model_file.read_description(folder)
  try:
    return Model(folder, description, _network(description))
  except (ValueError, TypeError, KeyError, AttributeError) as error:
    raise errors.UserError(
      f'{folder / model_file.NAME}: not a network of this version: {error}'
    ) from error


def _folder(path):
  """The folder of that path, or of the shipped model of that name."""
  # An existing folder takes precedence over a shipped model of that name.
  folder = pathlib.Path(path)
  shipped = SHIPPED / folder.name
  if folder.exists() or folder.name != str(path) or not shipped.is_dir():
    return folder
  return shipped


def _network(description) -> nn.Module:
  fields = dict(description['network'])
  return models.build(
    fields.pop('name'), num_classes=len(description['classes']), **fields
  )


@dataclasses.dataclass(frozen=True, eq=False)
class Member:
  """The weights of one fold with one seed.

  Attributes:
    params: parameters of the network.
    moments: (mean, variance) by stream, by which all clips are scaled; None if
      each clip is scaled by its own.
    pixels: mean and spread (T, H, W, C) by stream, where pixels are scaled.
  """

  params: dict
  moments: dict | None
  pixels: dict | None


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
  """A trained network: its description, and weights of each fold and seed.

  Attributes:
    folder: the folder of its files.
    description: the content of model.json.
    network: the Flax module.
  """

  folder: pathlib.Path
  description: Mapping[str, Any] = dataclasses.field(repr=False)
  network: nn.Module = dataclasses.field(repr=False)

  def __post_init__(self):
    field_values.one_of('input.how', self.input_kind, normalize.CHOICES)
    self._shapes, self.classes, self.members  # noqa: B018

  @property
  def classes(self) -> tuple[str, ...]:
    """Names of the classes, in the order of the probabilities."""
    return tuple(self.description['classes'])

  @property
  def streams(self) -> dict[str, tuple[int, ...]]:
    """The shape (T, H, W, C) of each input stream, by name."""
    streams = self._input['streams']
    return {name: tuple(one['shape']) for name, one in streams.items()}

  @property
  def synthetic(self) -> bool:
    """Whether it was trained on rendered faces alone."""
    return bool(self.description['synthetic'])

  @property
  def members(self) -> tuple[tuple[str, int], ...]:
    """(fold, seed) of each set of weights."""
    return tuple((m['fold'], m['seed']) for m in self.description['members'])

  @property
  def input_kind(self) -> str:
    """The network's input, see `normalize.standardise`."""
    return self._input['how']

  @property
  def _input(self):
    return self.description['input']

  @property
  def calibration(self) -> Mapping[str, Any]:
    """`calibration` of model.json; {} if there is none."""
    return self.description.get('calibration') or {}

  @property
  def temperature(self) -> float:
    """The divisor of the logits; 1 if the model is not calibrated."""
    return self.calibration.get('temperature', 1.0)

  @property
  def unit_calibration(self) -> Mapping[str, list[float]] | None:
    """The `calibration` of `action_units.calibrated`; None if there is none."""
    return self.calibration.get('units')

  def sets(self, clips: Mapping[str, np.ndarray]) -> np.ndarray:
    """(N, C): the classes that clips may show, by `conformal.model_sets`."""
    p = self.probabilities(clips)
    return conformal.model_sets(p, self.description, self.folder)

  def member(self, fold: str, seed: int | None = None) -> Member:
    """The weights of one fold.

    Args:
      fold: name of the fold.
      seed: seed of its training; by default the first.

    Raises:
      errors.UserError: no such fold or seed; a damaged file; weights that are
        not of this network.
    """
    return self._read(self.listed(fold, seed)[0])

  def listed(self, fold: str | None, seed: int | None) -> list[dict]:
    """As `model_file.members` for this model."""
    return model_file.members(self.folder, self.description, fold, seed)

  def weights(self, member: Mapping) -> dict[str, np.ndarray]:
    """The arrays of one member by name; raises as `model_file.read_weights`."""
    return model_file.read_weights(self.folder, member)

  def _read(self, one) -> Member:
    tree = model_file.unflatten(self.weights(one))
    params = tree.get('params', {})
    wanted = jax.tree.map(lambda x: (x.shape, str(x.dtype)), self._shapes)
    found = jax.tree.map(lambda x: (x.shape, str(x.dtype)), params)
    if wanted != found:
      raise errors.UserError(
        f'{self.folder / one["file"]}: weights of another network than '
        f'{model_file.NAME} names: copy the whole model folder again'
      )
    moments = self.description['normalisation']['moments']
    own = moments.get(one['file'])
    return Member(
      params,
      {name: tuple(map(np.float32, pair)) for name, pair in own.items()}
      if own
      else None,
      tree.get('pixels'),
    )

  @functools.cached_property
  def _shapes(self):
    sample = {
      name: jax.ShapeDtypeStruct(
        (1, *normalize.input_shape(one['shape'], self.input_kind)), _dtype(name)
      )
      for name, one in self._input['streams'].items()
    }
    return jax.eval_shape(
      programs.params(self.network), jax.random.key(0), sample
    )

  def inputs(self, clips: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The network's input streams among those of prepared clips.

    Args:
      clips: streams (N, T, H, W, C) uint8 by name, as they are prepared, and
        masks '<stream>_present' (N,) of streams that a clip may lack.

    Raises:
      errors.UserError: a stream is missing or has another shape.
    """
    return clip_streams.chosen(self.folder, self._input['streams'], clips)

  def views(
    self, clips: Mapping[str, np.ndarray], member: Member
  ) -> dict[str, np.ndarray]:
    """The scaled input of the network: streams (n, T, H, W, C) and masks.

    Args:
      clips: as for `inputs`.
      member: the member whose scale is used.

    Raises:
      errors.UserError: as `inputs`.
    """
    streams = {n: np.asarray(x) for n, x in self.inputs(clips).items()}
    if member.pixels:
      streams |= pixel_scaling.apply(
        {n: x for n, x in streams.items() if n in member.pixels},
        {n: (p['mean'], p['spread']) for n, p in member.pixels.items()},
        self.input_kind,
      )
    seen = programs.views(streams, member.moments, input_kind=self.input_kind)
    return {name: np.asarray(x) for name, x in seen.items()}

  def probabilities(
    self,
    clips: Mapping[str, np.ndarray],
    *,
    fold: str | None = None,
    seed: int | None = None,
  ) -> np.ndarray:
    """Probabilities (N, C) of prepared clips, float64.

    Args:
      clips: as for `inputs`.
      fold: the fold whose weights are used; by default the mean over all.
      seed: the seed whose weights are used; by default the mean over all.

    Raises:
      errors.UserError: clips that do not fit the network, no such fold or
        seed, or a damaged file.
    """
    chosen = self.listed(fold, seed)
    clip_streams.check(self.folder, self._input, clips)
    logits_of = programs.logits(self.network)
    logits = (
      self._run(logits_of, self._read(one), clips, _BATCH) for one in chosen
    )
    return np.mean([inference.softmax(x / self.temperature) for x in logits], 0)

  def answers(
    self, clips: Mapping[str, np.ndarray]
  ) -> list[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Logits (N, C) and the network's `out`, float32, for each member.

    Args:
      clips: as for `inputs`.

    Raises:
      errors.UserError: as `probabilities`.
    """
    clip_streams.check(self.folder, self._input, clips)
    outputs_of = programs.outputs(self.network)
    members = [self._read(one) for one in self.description['members']]
    return [
      self._run(outputs_of, one, clips, _LARGE_BATCH, floats=None)
      for one in members
    ]

  def _run(self, program, member, clips, size, **options):
    """The results of a program of `programs` for all clips, by one member."""
    # On the device once, not with each batch.
    streams, params = self.inputs(clips), jax.device_put(member.params)
    count = len(next(iter(streams.values())))

    def step(index):
      some = {name: x[index] for name, x in streams.items()}
      return program(params, self.views(some, member))

    return inference.in_batches(step, np.arange(count), size, **options)


def _dtype(stream):
  return np.int32 if stream == 'text' else np.float32
