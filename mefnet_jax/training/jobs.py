"""The input of a training, prepared from a config."""

import dataclasses
import functools
import hashlib
import math
import pathlib
import threading
from collections.abc import Callable

import numpy as np
import rich.console
from flax import linen as nn
from ml_collections import ConfigDict

from mefnet_jax import datasets, models
from mefnet_jax.evaluation import folds, validation_split
from mefnet_jax.models import from_config, pixel_scaling
from mefnet_jax.runs import errors, findings, multihost, workdirs
from mefnet_jax.training import (
  blocks,
  config_check,
  deliberate_leaks,
  memory,
  seed_results,
)


@dataclasses.dataclass(frozen=True)
class Job:
  """Everything that a training needs.

  Attributes:
    model: the network.
    arrays: streams (N, T, H, W, C) uint8 and 'label' (N,), on the host.
    splits: the folds.
    config: the run's config.
    workdir: the run's folder.
    fingerprint: digest of the clips, their labels and the folds.
    console: for tables and progress.
    stop: set when the process is asked to stop.
    source: the prepared clips with names and subjects; None in tests that only
      train.
    pixels: constants by which the clips have been scaled, if they were scaled
      by statistics of all clips.
  """

  model: nn.Module
  arrays: dict[str, np.ndarray]
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
    """The seeds of the config."""
    return tuple(range(self.config.seed, self.config.seed + self.config.seeds))


def identity(job: Job, block: blocks.Block) -> dict[str, object]:
  """Returns the identity of a block's training, stored in its checkpoints.

  Args:
    job: what is trained.
    block: some of its members.
  """
  return {
    'config': workdirs.digest(job.config),
    'clips': job.fingerprint,
    'seeds': list(block.seeds),
    'folds': [fold.name for fold in job.splits[block.start : block.stop]],
  }


# Trains a job with some seeds; returns the result of each, in their order.
Train = Callable[[Job, tuple[int, ...]], list[seed_results.SeedResult]]


def prepare(
  config: ConfigDict,
  workdir: pathlib.Path,
  *,
  console: rich.console.Console | None = None,
  stop: threading.Event | None = None,
) -> Job:
  """Loads the clips of a config, splits them and builds the network.

  Args:
    config: as in configs/base.py, already checked (`config_check.check`).
    workdir: the run's folder; findings of the preparation are written to its
      findings.csv.
    console: for tables and progress.
    stop: set when the process is asked to stop.

  Raises:
    errors.UserError: the release cannot be used, or not with this protocol.
  """
  console = console or rich.console.Console(quiet=True)
  config_check.choose_kernels(config)
  clips = _load(config, workdir, console)
  label = _labels(config, clips)
  # Leaks on purpose come last: they break folds that are honest so far.
  splits = _folds(config, clips, label)
  clips, label, splits = deliberate_leaks.make(config, clips, label, splits)
  streams, pixels = _streams(config, clips), None
  if config.protocol.statistics == 'all':
    # Once for the run, not in each step: the scale is the same for all folds
    # here.
    plain = pixel_scaling.scalable(streams)
    pixels = pixel_scaling.constants(plain, slice(None), config.input)
    streams |= pixel_scaling.apply(plain, pixels, config.input)
  return Job(
    model=from_config.network(config, len(clips.classes)),
    arrays=streams | {'label': label},
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
  """Loads the clips and shows the findings, also those of an error.

  With several processes the first one prepares the clips; the others read them
  from the cache.
  """
  try:
    if not multihost.is_first():
      multihost.wait('clips')
    clips = datasets.load(
      config.dataset,
      memory=_memory(config),
      check=functools.partial(
        folds.check_rows, config.protocol, seed=config.seed
      ),
    )
    if multihost.is_first():
      multihost.wait('clips')
  except errors.UserError as error:
    # What was found before the release was refused often explains why.
    _show(getattr(error, 'findings', ()), workdir, console)
    raise
  _show(clips.findings, workdir, console)
  return clips


def _memory(config):
  """Bytes for clips on the host: no limit where statistics need all clips."""
  whole = config.protocol.mistake == 'duplicates'
  if whole or config.protocol.statistics != 'clip':
    return math.inf
  return memory.host_memory(config.train.memory)


def _show(found, workdir, console):
  """Prints findings and writes findings.csv, if there are any."""
  if found and multihost.is_first():
    text = findings.listing(found)
    console.print(text, soft_wrap=True, markup=False, highlight=False)
    findings.write(workdir / findings.FILE, found)


def _labels(config, clips):
  """(N,) labels, permuted over the clips for a control."""
  label = np.asarray(clips.label, np.int32)
  if config.protocol.shuffle_labels:
    # Before the folds are made: training and held-out labels lose their meaning
    # alike, and anything above chance is a leak.
    label = np.random.default_rng(config.seed).permutation(label)
  return label


def _folds(config, clips, label):
  """The folds of the protocol, with validation clips if they are needed."""
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
  """The network's input streams, and masks of those that may be missing."""
  streams = {}
  for name in models.input_streams(
    config.model.name, config.model.get('streams', ())
  ):
    stored = datasets.stored_stream(name, config.input)
    # The network's name of a stream does not depend on the input: 'eyes' may be
    # the flow of the eyes.
    streams[name] = clips.streams[stored]
    mask = f'{stored}_present'
    if mask in clips.streams:
      streams[f'{name}_present'] = clips.streams[mask]
  return streams


def _fingerprint(clips, label, splits):
  """A digest of everything that the training reads, except the config."""
  # Training and validation sides follow from the test sides and the config.
  digest = hashlib.blake2b(clips.fingerprint.encode(), digest_size=16)
  for array in (label, *(fold.test for fold in splits)):
    digest.update(np.ascontiguousarray(array, np.int64).tobytes())
  return digest.hexdigest()
