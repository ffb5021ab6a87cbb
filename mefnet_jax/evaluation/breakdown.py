"""A run's scores by class, subject, seed and database, and its worst errors."""

from typing import Any

import numpy as np

from mefnet_jax.evaluation import by_database, intervals, metrics, results


def breakdown(result: results.Result) -> dict[str, Any]:
  """Returns the part of report.json that details the pooled scores."""
  classes = len(result.classes)
  counts_CC = metrics.confusion(result.label, result.predicted, classes)
  table = metrics.per_class(counts_CC)
  kinds = [finding.kind for finding in result.findings]
  per_seed = _per_seed(result)
  return {
    'confusion': counts_CC.tolist(),
    'per_class': [
      {'class': name} | {key: x[c].item() for key, x in table.items()}
      for c, name in enumerate(result.classes)
    ],
    'per_subject': _per_subject(result),
    'per_seed': per_seed,
    'databases': by_database.scores(
      result.label, result.predicted, result.database, classes
    ),
    'spread': intervals.spread_over_seeds(
      [seed['metrics'] for seed in per_seed]
    ),
    'mistakes': _mistakes(result),
    'findings': {kind: kinds.count(kind) for kind in sorted(set(kinds))},
  }


def _per_subject(result):
  """Clips, folds and accuracy of each subject."""
  subject, fold = np.array(result.subject), np.array(result.fold)
  right = result.predicted == np.asarray(result.label)
  return [
    {
      'subject': name,
      'folds': np.unique(fold[subject == name]).tolist(),
      'clips': int((subject == name).sum()),
      'correct': int(right[subject == name].sum()),
      'accuracy': float(right[subject == name].mean()),
    }
    for name in np.unique(subject).tolist()
  ]


def _mistakes(result):
  """The wrong clips with the highest predicted probabilities."""
  predicted = result.predicted
  return [
    {
      # Names only: the report adds faces, and only if nobody's privacy is at
      # stake.
      'clip': result.clip[i],
      'subject': result.subject[i],
      'fold': result.fold[i],
      'label': result.classes[result.label[i]],
      'predicted': result.classes[predicted[i]],
      'probability': float(result.probabilities[i, predicted[i]]),
      'true_probability': float(result.probabilities[i, result.label[i]]),
    }
    for i in metrics.most_confident_errors(
      result.probabilities, result.label
    ).tolist()
  ]


def _per_seed(result):
  """Scores of each seed alone, to show how far they depend on the seed."""
  if result.seed_probabilities is None:
    return []
  return [
    {
      'seed': int(seed),
      'metrics': metrics.scores(
        result.label, np.argmax(x_NC, axis=1), len(result.classes)
      ),
    }
    for seed, x_NC in zip(result.seeds, result.seed_probabilities, strict=True)
  ]
