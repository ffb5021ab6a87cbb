"""The content of report.json: what was scored, and the scores."""

import dataclasses
from typing import Any

import numpy as np

from mefnet_jax.evaluation import (
  breakdown,
  intervals,
  metrics,
  paired_tests,
  published,
  results,
)

# The keys of `summary`, and therefore of report.json.
KEYS = tuple(
  'dataset release release_path maps literature protocol selection model '
  'parameters clips subjects folds classes seeds notices shuffled_labels '
  'device vector_bits kernels code licence command config '
  'seconds versions verdict metrics intervals detectable baseline majority '
  'claims audit calibration confusion per_class per_subject per_seed databases '
  'spread mistakes findings'.split()
)


def summary(result: results.Result) -> dict[str, Any]:
  """Returns the content of report.json: plain values only.

  'clips' is the number of scored clips: all of them, or the test side of
  holdout.
  """
  return _provenance(result) | _scores(result) | breakdown.breakdown(result)


def with_audit(
  result: results.Result, summary: dict[str, Any], found: dict[str, Any]
) -> dict[str, Any]:
  """Returns the summary with the findings of an audit.

  Args:
    result: from which the summary was made.
    summary: the return value of `summary`; it is not changed.
    found: the return value of `audit.find`.
  """
  result = dataclasses.replace(result, audit=found)
  uar, bounds = summary['metrics']['uar'], summary['intervals']['uar']
  return summary | {
    'notices': results.notices(result),
    'verdict': results.verdict(result, uar, bounds),
    'audit': found | {'leaks': results.leaks(result)},
  }


def _provenance(result: results.Result) -> dict[str, Any]:
  """The provenance: the keys of the summary without scores."""
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
    'notices': results.notices(result),
    'shuffled_labels': result.shuffled,
    'device': result.device,
    'vector_bits': result.vector_bits,
    'compiled_for': result.compiled_for,
    'kernels': result.kernels,
    'code': dict(result.code),
    'licence': result.licence,
    'command': result.command,
    'config': result.config,
    'seconds': {key: float(x) for key, x in result.seconds.items()},
    'versions': dict(result.versions),
  }


def _scores(result: results.Result) -> dict[str, Any]:
  """The pooled scores, and what is needed to judge them."""
  num_classes = len(result.classes)
  pooled = metrics.scores(result.label, result.predicted, num_classes)
  bounds = intervals.bootstrap(
    result.label, result.predicted, result.subject, num_classes
  )
  return {
    'verdict': results.verdict(result, pooled['uar'], bounds['uar']),
    'metrics': pooled,
    'intervals': bounds,
    'detectable': paired_tests.detectable(pooled['accuracy'], len(result.clip)),
    'baseline': intervals.baseline(result.label, num_classes),
    'majority': intervals.majority_scores(result.label, num_classes),
    'claims': published.paper_claims(result.dataset, result.model),
    'audit': result.audit | {'leaks': results.leaks(result)},
    'calibration': _calibration(result),
  }


def _calibration(result: results.Result) -> dict[str, Any]:
  """How well the probabilities match the frequencies of being right."""
  pair = result.probabilities, result.label
  return {
    'log_loss': metrics.log_loss(*pair, balanced=False),
    'balanced_log_loss': metrics.log_loss(*pair, balanced=True),
    'guess_log_loss': float(np.log(len(result.classes))),
  } | metrics.calibration(*pair)
