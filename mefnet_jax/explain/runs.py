"""A finished run, loaded to be explained: its model, clips and folds."""

import dataclasses
import functools
import pathlib

import ml_collections
import numpy as np

from mefnet_jax import datasets
from mefnet_jax.evaluation import folds, folds_file
from mefnet_jax.predict import trained_model
from mefnet_jax.runs import (
  csv_table,
  errors,
  json_file,
  predictions,
  progress_lines,
  workdirs,
)

_RENDERED = 'SYNTHETIC'


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
  """The model of a run with its clips.

  Attributes:
    config: its config.
    model: its trained networks.
    clips: its N clips, with the labels that were trained on.
    folds: names of the folds.
    held_out: (N,) index of the fold that held out each clip, -1 if none did.
    probabilities: (N, C) by that fold; NaN if there is none.
    report_notices: those of report.json: warnings such as LEAKY, with reasons.
    replaced: parameters that replace those of a fold, by its index.
  """

  config: ml_collections.ConfigDict
  model: trained_model.Model
  clips: datasets.Clips
  folds: tuple[str, ...]
  held_out: np.ndarray
  probabilities: np.ndarray
  report_notices: dict[str, str]
  replaced: dict[int, dict] = dataclasses.field(default_factory=dict)

  @property
  def synthetic(self) -> bool:
    """Whether the clips show rendered faces."""
    return self.clips.synthetic

  @property
  def notices(self) -> dict[str, str]:
    """The warnings that apply, such as SYNTHETIC and LEAKY, with reasons."""
    known = {
      word: why
      for word, why in self.report_notices.items()
      if word != _RENDERED
    }
    why = 'the clips show rendered faces, free to be shown'
    return {_RENDERED: why, **known} if self.synthetic else known

  def views(self, index: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the network's inputs for some clips, each as its fold scales it.

    Args:
      index: (n,) clips.

    Returns:
      Streams (n, T, H, W, C), and masks (n,) of streams that may be missing.
    """
    index = np.asarray(index)
    inputs: dict[str, np.ndarray] = {}
    for k in np.unique(self.held_out[index]):
      # Fold by fold: each has its own scale, fitted to its training clips.
      at = np.flatnonzero(self.held_out[index] == k)
      part = self.model.views(_taken(self.clips, index[at]), self._member(k))
      for name, x in part.items():
        shape = (len(index), *x.shape[1:])
        inputs.setdefault(name, np.zeros(shape, x.dtype))[at] = x
    return inputs

  def weights(self, fold: int) -> dict:
    """Returns the parameters of one fold."""
    return self.replaced.get(fold) or self._member(fold).params

  def _member(self, fold):
    if fold not in self._members:
      self._members[fold] = self.model.member(
        self.folds[fold], self.config.seed
      )
    return self._members[fold]

  @functools.cached_property
  def _members(self) -> dict[int, trained_model.Member]:
    return {}


def load(workdir: pathlib.Path) -> Run:
  """Loads a finished run.

  The probabilities of its held-out clips are computed again and compared with
  predictions.csv, which reveals other clips, folds or weights.

  Raises:
    UserError: there is no such run, it is not finished, or its release has
      changed since.
  """
  config = workdirs.read_config(workdir)
  model = trained_model.load(workdir)
  clips = datasets.load(config.dataset)
  table = folds_file.read(workdir / folds_file.FILE)
  clips = dataclasses.replace(clips, label=_labels(workdir, clips, model))
  names = tuple(table)
  # A clip that no fold tests has no network that did not train on it.
  held_out = np.full(len(clips.clip), -1)
  for k, name in enumerate(names):
    held_out[_places(workdir, clips, table[name]['test'])] = k
  empty = np.full((len(clips.clip), len(model.classes)), np.nan)
  run = Run(
    config,
    model,
    clips,
    names,
    held_out,
    empty,
    _report_notices(workdir, config),
  )
  probabilities = _compare(workdir, run, predictions.read(workdir))
  # predictions.csv has the mean over seeds; the networks of one are explained.
  if config.seeds > 1:
    probabilities = _probabilities(run, config.seed)
  return dataclasses.replace(run, probabilities=probabilities)


def _labels(workdir, clips, model):
  """The labels that were trained on; those of a control are permuted."""
  rows = csv_table.filled(workdir / 'clips.csv', ['clip', 'label'])
  named = {row['clip']: row['label'] for _, row in rows}
  missing = [name for name in clips.clip if name not in named]
  # The release names the true labels, but a control trained on permuted ones.
  if missing or not set(named.values()) <= set(model.classes):
    raise errors.UserError(f'{workdir}: {_CHANGED}')
  return np.array([model.classes.index(named[name]) for name in clips.clip])


_CHANGED = (
  'its release has changed since it was trained: restore the release, or run '
  'mefnet_jax.main again in a new --workdir'
)


def _places(workdir, clips, names):
  """Indices of clips by name."""
  known = {name: i for i, name in enumerate(clips.clip)}
  try:
    return [known[name] for name in names]
  except KeyError as error:
    raise errors.UserError(f'{workdir}: {_CHANGED}') from error


def _taken(clips, index):
  """The stored streams of some clips."""
  return {name: x[index] for name, x in clips.streams.items()}


def _report_notices(workdir, config):
  """The notices of the report; without a report, those of the protocol."""
  try:
    path = workdir / workdirs.REPORT
    return json_file.read(path, {'notices': dict})['notices']
  except errors.UserError:
    reason = folds.why_leaky(config.protocol.name)
    return {'LEAKY': reason} if reason else {}


def _probabilities(run, seed):
  """(N, C) probabilities of each clip by the fold that held it out."""
  probabilities = run.probabilities.copy()
  names = progress_lines.over(
    run.folds, 'Predicting again, folds', len(run.folds)
  )
  for k, name in enumerate(names):
    at = np.flatnonzero(run.held_out == k)
    if len(at):
      probabilities[at] = run.model.probabilities(
        _taken(run.clips, at), fold=name, seed=seed
      )
  return probabilities


def _compare(workdir, run, stored):
  """Predicts again; raises UserError if that differs from what is on disk."""
  found = _probabilities(run, None)
  at = _places(workdir, run.clips, stored.clip)
  if tuple(stored.classes) != run.model.classes:
    raise errors.UserError(
      f'{workdir}: its model has the classes {", ".join(run.model.classes)}, '
      f'its predictions.csv {", ".join(stored.classes)}: copy the whole run '
      'again'
    )
  # The tolerance is for another machine; other weights differ by far more.
  if stored.probabilities is None or not np.allclose(
    found[at], stored.probabilities, atol=1e-3
  ):
    raise errors.UserError(
      f'{workdir}: its weights no longer give its predictions: the release or '
      'the code has changed since; run mefnet_jax.main again in a new --workdir'
    )
  return found


def choose_clips(run: Run, wanted: str) -> np.ndarray:
  """Returns the indices of held-out clips.

  Args:
    run: the run.
    wanted: names separated by commas, 'all', or a number of clips, which are
      balanced over the classes and spread over the people.

  Raises:
    UserError: the run has no clip of that name, or never held it out.
  """
  tested = np.flatnonzero(run.held_out >= 0)
  if wanted in run.clips.clip:  # a name may contain commas
    return np.array([_place(run, wanted)])
  if wanted == 'all':
    return tested
  if wanted.isdecimal() and int(wanted):
    label = run.clips.label[tested]
    # Each class in a spread order, then one clip of every class in turn, so
    # that any number of clips is balanced.
    turn = np.concatenate(
      [_spread(np.flatnonzero(label == c)) for c in np.unique(label)]
    )
    rank = np.concatenate(
      [np.arange((label == c).sum()) for c in np.unique(label)]
    )
    return np.sort(tested[turn[np.argsort(rank, kind='stable')][: int(wanted)]])
  return np.array([_place(run, name) for name in wanted.split(',')])


def _spread(index):
  """The same indices, with neighbours far apart (golden-ratio sequence)."""
  steps = (np.arange(len(index)) * 0.61803398875) % 1
  # Clips are ordered by person: neighbours would be of the same few people.
  return index[np.argsort(steps, kind='stable')]


def _place(run, name):
  """The index of a held-out clip."""
  if name not in run.clips.clip:
    examples = ', '.join(run.clips.clip[:3])
    raise errors.UserError(
      f'--clips={name}: no such clip: its names are like {examples}'
    )
  at = run.clips.clip.index(name)
  if run.held_out[at] < 0:
    raise errors.UserError(
      f'--clips={name}: no fold of {run.config.protocol.name} held it out, so '
      'it has no honest prediction: choose a clip of predictions.csv'
    )
  return at


def stream_names(run: Run) -> tuple[str, ...]:
  """Returns the names of the network's input streams."""
  return tuple(run.model.streams)
