"""What a training needs to know, prepared from a config; what it leaves."""

import dataclasses
import hashlib
import math
import pathlib
import threading
from collections.abc import Callable, Sequence

import numpy as np
import rich.console
from flax import linen as nn
from ml_collections import ConfigDict

from mefnet_jax import datasets, models
from mefnet_jax.evaluation import folds, validation_split
from mefnet_jax.models import from_config, pixel_scaling
from mefnet_jax.runs import errors, findings, multihost
from mefnet_jax.training import blocks, deliberate_leaks


@dataclasses.dataclass(frozen=True)
class Job:
  """All that a config's training needs.

  model: the network. clips: streams (N, T, H, W, C) uint8 and 'label' (N,), on
  the host. splits: the folds. fingerprint: of the clips, labels and folds.
  stop: set when the process is asked to leave. source: the clips as they were
  prepared, with names and people; None in tests of the training alone. pixels:
  by which the clips are scaled already, if it was by statistics of all.
  """

  model: nn.Module
  clips: dict[str, np.ndarray]
  splits: tuple[folds.Fold, ...]
  config: ConfigDict
  workdir: pathlib.Path
  fingerprint: str
  console: rich.console.Console
  stop: threading.Event
  source: datasets.Clips | None = None
  pixels: pixel_scaling.Constants | None = None

  @property
  def seeds(self) -> tuple[int, ...]:
    """The seeds that the config asks for."""
    return tuple(range(self.config.seed, self.config.seed + self.config.seeds))


@dataclasses.dataclass(frozen=True)
class Weights:
  """Where the weights of one member lie: in a checkpoint of its block.

  members: seeds and folds of the block; place: of this one among them.
  """

  folder: pathlib.Path
  epoch: int
  members: tuple[int, int]
  place: tuple[int, int]


@dataclasses.dataclass
class Fitted:
  """What one seed's training leaves: probabilities of held-out clips.

  held_out: probabilities (test clips, C) of each fold, by the weights of the
  epoch that train.selection says; epochs: that epoch, of each fold; diverged:
  the epoch of the first loss that was not finite, by the fold's name: its
  clips get the class frequencies of its training; weights: where those of each
  fold lie; moments: by which the clips of each fold were scaled, if not each
  clip by its own: stream to (mean, variance); parameters: of one network;
  seconds: of training, all parts of a resumed run together.
  """

  held_out: list[np.ndarray] = dataclasses.field(default_factory=list)
  epochs: list[int] = dataclasses.field(default_factory=list)
  weights: list['Weights'] = dataclasses.field(default_factory=list)
  moments: list[dict | None] = dataclasses.field(default_factory=list)
  diverged: dict[str, int] = dataclasses.field(default_factory=dict)
  parameters: int = 0
  seconds: float = 0.0


def part(one: Fitted, place: slice, rename: Callable[[str], str]) -> Fitted:
  """The folds at `place` of a training of several.

  Args:
    one: of all folds.
    place: of the folds that are kept.
    rename: the name of a fold to its new one; '' for folds that are not kept.
  """
  share = len(one.held_out[place]) / max(len(one.held_out), 1)
  changes = {'seconds': one.seconds * share}
  for name, value in _by_fold(one):
    if isinstance(value, list):
      changes[name] = value[place]
    else:
      named = {rename(fold): x for fold, x in value.items()}
      changes[name] = {fold: x for fold, x in named.items() if fold}
  return dataclasses.replace(one, **changes)


def joined(fitted: Sequence[Fitted]) -> Fitted:
  """Trainings of one fold each as one of all: lists and dicts joined."""
  changes = {'seconds': sum(one.seconds for one in fitted)}
  for name, first in _by_fold(fitted[0]):
    values = [getattr(one, name) for one in fitted]
    if isinstance(first, list):
      changes[name] = [x for value in values for x in value]
    else:
      changes[name] = {k: x for value in values for k, x in value.items()}
  return dataclasses.replace(fitted[0], **changes)


def _by_fold(one):
  """The fields that hold something of each fold, a list or a dict."""
  for field in dataclasses.fields(one):
    value = getattr(one, field.name)
    if isinstance(value, list | dict):
      yield field.name, value


def prepare(
  config: ConfigDict,
  workdir: pathlib.Path,
  *,
  console: rich.console.Console | None = None,
  stop: threading.Event | None = None,
) -> Job:
  """Loads the clips of a config, splits them into folds, builds the network.

  Args:
    config: as in configs/base.py, already checked (`config_check.check`).
    workdir: of the run; what preparation met is written to its findings.csv.
    console: for tables and progress.
    stop: set when the process is asked to leave.

  Raises:
    errors.UserError: a release that cannot be used, or a protocol that it
      cannot be split for.
  """
  console = console or rich.console.Console(quiet=True)
  clips = _load(config, workdir, console)
  label = _labels(config, clips)
  splits = _folds(config, clips, label)
  clips, label, splits = deliberate_leaks.make(config, clips, label, splits)
  streams, pixels = _streams(config, clips), None
  if config.protocol.statistics == 'all':
    plain = pixel_scaling.scalable(streams)
    pixels = pixel_scaling.constants(plain, slice(None), config.input)
    streams |= pixel_scaling.apply(plain, pixels, config.input)
  return Job(
    model=from_config.network(config, len(clips.classes)),
    clips=streams | {'label': label},
    splits=splits,
    config=config,
    workdir=workdir,
    fingerprint=_fingerprint(clips, label, splits),
    console=console,
    stop=stop or threading.Event(),
    source=clips,
    pixels=pixels,
  )


def _load(config, workdir, console):
  """The clips, with the table of what preparation met, on error too.

  Of several processes the first prepares; the others read what it kept.
  """
  try:
    if not multihost.is_first():
      multihost.wait('clips')
    clips = datasets.load(config.dataset, memory=_memory(config))
    if multihost.is_first():
      multihost.wait('clips')
  except errors.UserError as error:
    _show(getattr(error, 'findings', ()), workdir, console)
    raise
  _show(clips.findings, workdir, console)
  return clips


def _memory(config):
  """Bytes for the clips; what looks at all of them needs all at once."""
  whole = config.protocol.mistake == 'duplicates'
  if whole or config.protocol.statistics != 'clip':
    return math.inf
  return blocks.host_memory(config.train.memory)


def _show(found, workdir, console):
  if found and multihost.is_first():
    console.print(findings.table(found))
    findings.write(workdir / 'findings.csv', found)


def _labels(config, clips):
  """(N,) labels; permuted over the clips where the control asks for it."""
  label = np.asarray(clips.label, np.int32)
  if config.protocol.shuffle_labels:
    label = np.random.default_rng(config.seed).permutation(label)
  return label


def _folds(config, clips, label):
  """The folds of the protocol, with validation clips where they are needed."""
  people = clips.subject, clips.database
  splits = folds.make(config.protocol, label, *people, seed=config.seed)
  if config.train.selection != 'validation':
    return splits
  return validation_split.add_validation(
    splits,
    label,
    clips.subject,
    share=config.train.validation_share,
    seed=config.seed,
  )


def _streams(config, clips):
  """The streams that the network looks at, and masks of those that may lack."""
  made = {}
  for name in models.views(config.model.name, config.model.streams):
    stored = datasets.stored_stream(name, config.input)
    made[name] = clips.streams[stored]
    mask = f'{stored}_present'
    if mask in clips.streams:
      made[f'{name}_present'] = clips.streams[mask]
  return made


def _fingerprint(clips, label, splits):
  """A digest of all that the training reads but the config."""
  digest = hashlib.blake2b(clips.fingerprint.encode(), digest_size=16)
  for array in (label, *(fold.test for fold in splits)):
    digest.update(np.ascontiguousarray(array, np.int64).tobytes())
  return digest.hexdigest()
