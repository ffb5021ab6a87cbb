"""The pooled predictions of a protocol, and how far they can be believed."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mefnet_jax.runs import errors, findings, predictions

_SYNTHETIC = (
  'rendered faces replace the release; the scores say nothing about real people'
)
_ZERO_SHOT = (
  'every clip is held out; the network was trained on rendered heads alone and '
  'on no clip of this or another release'
)
_ORACLE = (
  'the epoch was chosen on the very clips that are scored (selection oracle)'
)
_SHUFFLED = (
  'a control: the labels were permuted over the clips, so the scores must '
  'fall to chance'
)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Result:
  """The pooled predictions of a protocol, with everything the report needs.

  N held-out clips, C classes. All arrays and tuples of length N share one
  order, in which each clip occurs once.

  Raises:
    UserError: a probability is not finite.
  """

  dataset: str  # smic, cas_me2, ...
  synthetic: bool
  release: str  # folder of the release
  maps: bool  # whether the clips are flow maps, which show no faces
  literature: str  # the name of the data in literature.csv; '' if none
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
  # Rows of metrics.jsonl: epoch, seed, fold, split ('train' | 'validation' |
  # 'held-out'), loss, accuracy.
  history: list[dict[str, Any]]
  findings: tuple[findings.Finding, ...]
  seconds: dict[str, float]
  versions: dict[str, str]
  device: str
  command: str
  vector_bits: int = 0  # of the processor; 0 if unknown
  compiled_for: str = ''  # processor of kernels, and variables that change it
  code: dict[str, Any] = dataclasses.field(default_factory=dict)  # commit
  licence: str = ''  # of the data
  seed_probabilities: np.ndarray | None = None  # (seeds, N, C)
  database: tuple[str, ...] = ()  # N, of origin; '' where there is only one
  # The result of `audit.find`; {} if the run was not audited.
  audit: dict[str, Any] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    # argmax would take the first nan for the most probable class.
    wrong = ~np.isfinite(self.probabilities).all(1)
    if wrong.any():
      raise errors.UserError(
        f'training diverged, no finite probabilities for {wrong.sum()} of '
        f'{wrong.size} clips: set a lower --config.train.learning_rate'
      )

  @property
  def predicted(self) -> np.ndarray:
    """The most probable classes, (N,)."""
    return np.argmax(self.probabilities, axis=1)

  @property
  def kernels(self) -> str:
    """The implementation of the layers: xla | cpu."""
    return self.config.get('train', {}).get('kernels', 'xla')

  @property
  def shuffled(self) -> bool:
    """Whether the labels were permuted as a control."""
    return bool(self.config.get('protocol', {}).get('shuffle_labels'))


def write_predictions(result: Result, path: pathlib.Path) -> None:
  """Writes predictions.csv: one row for each held-out clip."""
  predictions.write(
    path,
    clip=result.clip,
    subject=result.subject,
    fold=result.fold,
    label=[result.classes[c] for c in result.label],
    predicted=[result.classes[c] for c in result.predicted],
    probabilities_NC=result.probabilities,
    classes=result.classes,
  )


def leaks(result: Result) -> list[str]:
  """Returns how the scored clips, or their people, reached training."""
  return [*_declared(result), *result.audit.get('leaks', ())]


def notices(result: Result) -> dict[str, str]:
  """Returns the warnings that must accompany the scores, each with its reason.

  In the order SYNTHETIC, ZERO-SHOT, LEAKY, SHUFFLED LABELS, those that apply.
  """
  reasons = {
    'SYNTHETIC': _SYNTHETIC if result.synthetic else '',
    'ZERO-SHOT': _ZERO_SHOT if result.protocol == 'zero_shot' else '',
    'LEAKY': '; '.join(_reasons(result)),
    'SHUFFLED LABELS': _SHUFFLED if result.shuffled else '',
  }
  return {word: why for word, why in reasons.items() if why}


def verdict(result: Result, uar: float, bounds: list[float] | None) -> str:
  """Returns one sentence: whether the pooled UAR and its interval beat chance.

  Args:
    result: the pooled predictions.
    uar: the pooled UAR.
    bounds: its 95 % interval; None for a single subject.
  """
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


def curve(
  history: Sequence[Mapping[str, Any]], split: str, key: str
) -> np.ndarray:
  """Returns rows (epoch, mean, lowest, highest) of a score over the members.

  Args:
    history: rows of metrics.jsonl.
    split: train, validation or held-out.
    key: loss or accuracy.

  Returns:
    (epochs, 4); values that are not finite are ignored, and epochs without
    any finite value are left out.
  """
  values: dict[int, list[float]] = {}
  for row in history:
    if row['split'] == split and np.isfinite(row.get(key, np.nan)):
      values.setdefault(int(row['epoch']), []).append(float(row[key]))
  rows = [
    (epoch, np.mean(x), min(x), max(x)) for epoch, x in sorted(values.items())
  ]
  return np.array(rows, float).reshape(-1, 4)


def held_out_legend(selection: str) -> str:
  """Returns the legend of the held-out curve under a `train.selection`."""
  used = {'oracle': 'used to choose the epoch: LEAKY'}
  return 'held-out, ' + used.get(selection, 'shown, not used')


def _declared(result: Result) -> list[str]:
  """Leaks that follow from the config."""
  oracle = _ORACLE if result.selection == 'oracle' else ''
  return [x for x in (result.leaky, oracle) if x]


def _reasons(result: Result) -> list[str]:
  """Leaks in brief: those of the config, and the kinds that the audit found."""
  kinds = result.audit.get('kinds', ())
  found = [f'the audit found: {", ".join(kinds)}'] if kinds else []
  return _declared(result) + found


def _where(result: Result) -> str:
  """The end of the verdict: the reservations under which it holds."""
  phrases = {
    'SYNTHETIC': ' on SYNTHETIC faces',
    'ZERO-SHOT': ', ZERO-SHOT',
    'LEAKY': ', but LEAKY',
    'SHUFFLED LABELS': ', with SHUFFLED LABELS',
  }
  return ''.join(phrases[word] for word in notices(result))
