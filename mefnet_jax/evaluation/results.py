"""What a finished protocol knows, and what follows from it for the report."""

import dataclasses
from typing import Any

import numpy as np

from mefnet_jax.evaluation import (
  breakdown,
  claims,
  intervals,
  metrics,
  paired_tests,
)
from mefnet_jax.runs import errors

_SYNTHETIC = (
  'rendered faces stand in for a release; the scores say nothing about real '
  'people'
)
_ORACLE = (
  'the epoch was chosen on the very clips that are scored (selection oracle)'
)
_SHUFFLED = (
  'a control: the labels were permuted over the clips, so the scores must '
  'fall to chance'
)


# Of `summary`, and so of report.json.
KEYS = tuple(
  'dataset release release_path maps literature protocol selection model '
  'parameters clips subjects folds classes seeds notices shuffled_labels '
  'device command config '
  'seconds versions verdict metrics intervals detectable baseline majority '
  'claims audit calibration confusion per_class per_subject per_seed databases '
  'spread mistakes findings'.split()
)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Result:
  """Pooled predictions of a protocol and all that the report tells of them.

  N held-out clips, C classes. Arrays of the N clips are in one order; a clip
  occurs once. Raises UserError if the network gave no finite probabilities.
  """

  dataset: str  # smic, cas_me2, ...
  synthetic: bool
  release: str  # folder of the release
  maps: bool  # clips are maps of motion, in which nobody is seen
  literature: str  # what literature.csv calls the data; '' if nothing
  protocol: str
  leaky: str  # folds.why_leaky(protocol)
  selection: str  # last | validation | oracle
  seeds: tuple[int, ...]
  config: dict[str, Any]  # plain values, nested as in configs/base.py
  model: str
  parameters: int
  classes: tuple[str, ...]
  clip: tuple[str, ...]  # N
  subject: tuple[str, ...]  # N
  fold: tuple[str, ...]  # N, the fold that held the clip out
  label: np.ndarray  # (N,) integers
  probabilities: np.ndarray  # (N, C), mean over the seeds
  # One dict an epoch, fold and split, and seed where there are several:
  # epoch, fold, split ('train' | 'held-out'), loss, accuracy.
  history: list[dict[str, Any]]
  findings: tuple[Any, ...]  # each with kind, clip, file, what
  seconds: dict[str, float]
  versions: dict[str, str]
  device: str
  command: str
  seed_probabilities: np.ndarray | None = None  # (seeds, N, C)
  database: tuple[str, ...] = ()  # N, of origin; empty names where one only
  # What `audit.find` says of the run; {} if it was not audited.
  audit: dict[str, Any] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    wrong = ~np.isfinite(self.probabilities).all(1)
    if wrong.any():
      raise errors.UserError(
        f'training diverged, no finite probabilities for {wrong.sum()} of '
        f'{wrong.size} clips: set a lower --config.train.learning_rate'
      )

  @property
  def predicted(self) -> np.ndarray:
    """(N,) most probable classes."""
    return np.argmax(self.probabilities, axis=1)

  @property
  def shuffled(self) -> bool:
    """Whether the labels were permuted as a control."""
    return bool(self.config.get('protocol', {}).get('shuffle_labels'))


def leaks(result: Result) -> list[str]:
  """Ways in which the scored clips, or their people, reached training."""
  return [*_declared(result), *result.audit.get('leaks', ())]


def notices(result: Result) -> dict[str, str]:
  """Words that must stand wherever the scores do, and why, in order."""
  said = {
    'SYNTHETIC': _SYNTHETIC if result.synthetic else '',
    'LEAKY': '; '.join(_reasons(result)),
    'SHUFFLED LABELS': _SHUFFLED if result.shuffled else '',
  }
  return {word: why for word, why in said.items() if why}


def summary(result: Result) -> dict[str, Any]:
  """The content of report.json: plain values only.

  clips counts the scored clips: all of them, or the test side of holdout.
  """
  return _what_ran(result) | _scores(result) | breakdown.breakdown(result)


def audited(result: Result, summary: dict, found: dict) -> dict[str, Any]:
  """The summary with what an audit says of the run.

  Args:
    result: the summary's.
    summary: of `summary`; it is not changed.
    found: of `audit.find`.
  """
  result = dataclasses.replace(result, audit=found)
  uar, bounds = summary['metrics']['uar'], summary['intervals']['uar']
  return summary | {
    'notices': notices(result),
    'verdict': verdict(result, uar, bounds),
    'audit': found | {'leaks': leaks(result)},
  }


def verdict(result: Result, uar: float, bounds: list[float] | None) -> str:
  """One sentence: does the pooled UAR, with its interval, beat chance?"""
  chance = 1 / len(result.classes)
  if bounds is None:
    text = f'UAR {uar:.3f}, chance {chance:.3f}: one subject, so no interval'
    finding = 'nothing can be said about other people'
    return f'{text} and {finding}{_where(result)}.'
  finding = 'not distinguishable from chance'
  if bounds[0] > chance:
    finding = 'above chance'
  elif bounds[1] < chance:
    finding = 'below chance'
  low, high = bounds
  text = f'UAR {uar:.3f} [{low:.3f}, {high:.3f}], chance {chance:.3f}'
  return f'{text}: {finding}{_where(result)}.'


def curve(history, split: str, key: str) -> np.ndarray:
  """Rows (epoch, mean, lowest, highest) of a score over folds and seeds.

  Values that are not finite are left out; (0, 4) where none is left.
  """
  values: dict[int, list[float]] = {}
  for row in history:
    if row['split'] == split and np.isfinite(row.get(key, np.nan)):
      values.setdefault(int(row['epoch']), []).append(float(row[key]))
  rows = [
    (epoch, np.mean(x), min(x), max(x)) for epoch, x in sorted(values.items())
  ]
  return np.array(rows, float).reshape(-1, 4)


def held_out_name(selection: str) -> str:
  """What the legend calls the curve of the held-out clips."""
  used = {'oracle': 'used to choose the epoch: LEAKY'}
  return 'held-out, ' + used.get(selection, 'shown, not used')


def _declared(result: Result) -> list[str]:
  """What the config says is leaky."""
  oracle = _ORACLE if result.selection == 'oracle' else ''
  return [x for x in (result.leaky, oracle) if x]


def _reasons(result: Result) -> list[str]:
  """Leaks in brief: what the config says, and the kinds the audit found."""
  kinds = result.audit.get('kinds', ())
  found = [f'the audit found: {", ".join(kinds)}'] if kinds else []
  return _declared(result) + found


def _where(result: Result) -> str:
  """The end of the verdict: under which reservations it holds."""
  phrases = {
    'SYNTHETIC': ' on SYNTHETIC faces',
    'LEAKY': ', but LEAKY',
    'SHUFFLED LABELS': ', with SHUFFLED LABELS',
  }
  return ''.join(phrases[word] for word in notices(result))


def _what_ran(result: Result) -> dict[str, Any]:
  return {
    'dataset': result.dataset,
    'release': 'synthetic' if result.synthetic else 'real',
    'release_path': str(result.release),
    'maps': result.maps,
    'literature': result.literature,
    'protocol': result.protocol,
    'selection': result.selection,
    'model': result.model,
    'parameters': int(result.parameters),
    'clips': len(result.clip),
    'subjects': len(set(result.subject)),
    'folds': len(set(result.fold)),
    'classes': list(result.classes),
    'seeds': [int(seed) for seed in result.seeds],
    'notices': notices(result),
    'shuffled_labels': result.shuffled,
    'device': result.device,
    'command': result.command,
    'config': result.config,
    'seconds': {key: float(x) for key, x in result.seconds.items()},
    'versions': dict(result.versions),
  }


def _scores(result: Result) -> dict[str, Any]:
  classes = len(result.classes)
  pooled = metrics.scores(result.label, result.predicted, classes)
  bounds = intervals.intervals(
    result.label, result.predicted, result.subject, classes
  )
  return {
    'verdict': verdict(result, pooled['uar'], bounds['uar']),
    'metrics': pooled,
    'intervals': bounds,
    'detectable': paired_tests.detectable(pooled['accuracy'], len(result.clip)),
    'baseline': intervals.baseline(result.label, classes),
    'majority': intervals.majority(result.label, classes),
    'claims': claims.claimed(result.dataset, result.model),
    'audit': result.audit | {'leaks': leaks(result)},
    'calibration': _calibration(result),
  }


def _calibration(result: Result) -> dict[str, Any]:
  """How far the probabilities can be believed."""
  pair = result.probabilities, result.label
  return {
    'log_loss': metrics.log_loss(*pair, balanced=False),
    'balanced_log_loss': metrics.log_loss(*pair, balanced=True),
    'guess_log_loss': float(np.log(len(result.classes))),
  } | metrics.calibration(*pair)
