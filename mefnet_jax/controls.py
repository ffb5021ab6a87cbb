"""What an audit runs itself: permuted labels, and a network's features."""

import csv
import json
import pathlib
import sys

import jax
import ml_collections
import numpy as np
import rich.console

from mefnet_jax import (
  commands,
  compilation,
  errors,
  fit,
  inputs,
  protocol,
  workdirs,
)

_BATCH = 32


def permuted(workdir: pathlib.Path) -> pathlib.Path:
  """Trains the run with permuted labels in workdir/permuted, or goes on.

  Returns:
    The control's workdir.

  Raises:
    UserError: workdir holds no run.
  """
  config = _config(workdir)
  config.protocol.shuffle_labels = True
  control = workdir / 'permuted'
  console = rich.console.Console(soft_wrap=not sys.stdout.isatty())
  compilation.prepare()
  with workdirs.locked(control), commands.stop_signals() as stop:
    workdirs.claim(config, control)
    protocol.run(config, control, console=console, stop=stop)
  return control


def features(workdir: pathlib.Path) -> dict[str, np.ndarray]:
  """What the dense layers of the first fold's network make of each clip.

  Returns:
    Clip to (D,): the outputs of all dense layers but the logits.

  Raises:
    UserError: workdir holds no finished run, or a damaged checkpoint.
  """
  config = _config(workdir)
  job = protocol.prepare(config, workdir).job
  with (workdir / 'clips.csv').open(newline='') as file:
    clips = [row['clip'] for row in csv.DictReader(file)]
  measured = inputs.measured(job.clips, how=config.input)
  params, _ = fit.trained(workdir, job.model, measured, config.seed)
  params = {'params': jax.tree.map(lambda x: x[0], params)}
  rows = []
  for start in range(0, len(clips), _BATCH):
    index = np.arange(start, min(start + _BATCH, len(clips)))
    batch = inputs.batch(measured, index, how=config.input)
    rows.append(_dense(job.model, params, batch))
  return dict(zip(clips, np.concatenate(rows), strict=True))


def _config(workdir):
  """The config of the run that a workdir holds."""
  path = workdir / 'config.json'
  try:
    config = ml_collections.ConfigDict(json.loads(path.read_text()))
    config.protocol.shuffle_labels  # noqa: B018  an AttributeError if not ours
  except (OSError, ValueError, AttributeError) as error:
    raise errors.UserError(f'{path}: cannot be read ({error})') from error
  return config


def _dense(model, params, batch):
  """(B, D) outputs of the dense layers, side by side, the logits left out."""
  from flax import traverse_util

  from mefnet_jax.models import layers

  (logits, _), state = model.apply(
    params,
    batch,
    train=False,
    capture_intermediates=lambda module, _: isinstance(module, layers.Dense),
    mutable=['intermediates'],
  )
  flat = traverse_util.flatten_dict(state['intermediates'])
  found = [np.asarray(x[0]) for _, x in sorted(flat.items())]
  kept = [x for x in found if x.ndim == 2 and x.shape[1] != np.shape(logits)[1]]
  return np.concatenate(kept or [np.asarray(logits)], axis=1)
