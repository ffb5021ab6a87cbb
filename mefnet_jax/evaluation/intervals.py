"""How sure a score is, and what it must beat: intervals, spread, baselines."""

import numpy as np

from mefnet_jax.evaluation import metrics


def intervals(
  label, predicted, subject, num_classes: int, *, draws: int = 2000, seed=0
) -> dict[str, list[float] | None]:
  """95 % intervals of the pooled scores, bootstrapped by subject.

  Clips of one person are alike, so people are drawn with replacement, each
  with all of their clips; the bounds are percentiles of the pooled scores.

  Args:
    label: (N,) true classes.
    predicted: (N,) predicted classes.
    subject: (N,) names.
    num_classes: C.
    draws: bootstrap samples.
    seed: of the samples.

  Returns:
    [low, high] of each key of `metrics.scores`; None for all of them when
    there are fewer than two subjects, since one person says nothing about
    the next.
  """
  names, who = np.unique(np.asarray(subject), return_inverse=True)
  if len(names) < 2:
    return dict.fromkeys(metrics.scores(label, predicted, num_classes))
  counts_SCC = np.stack(
    [
      metrics.confusion(
        np.asarray(label)[who == s],
        np.asarray(predicted)[who == s],
        num_classes,
      )
      for s in range(len(names))
    ]
  )
  times_DS = np.random.default_rng(seed).multinomial(
    len(names), np.full(len(names), 1 / len(names)), size=draws
  )
  counts_DCC = np.tensordot(times_DS, counts_SCC, axes=1)
  bounds = {
    key: np.percentile(drawn_D, (2.5, 97.5)).tolist()
    for key, drawn_D in metrics.from_confusion(counts_DCC).items()
  }
  return bounds


def spread(scores: list[dict[str, float]]) -> dict[str, dict[str, float]]:
  """Mean, std (n - 1), low and high of each score over two or more seeds.

  {} for fewer than two: one seed tells nothing about the next.
  """
  if len(scores) < 2:
    return {}
  table = {key: np.array([x[key] for x in scores]) for key in scores[0]}
  return {
    key: {
      'mean': float(x.mean()),
      'std': float(x.std(ddof=1)),
      'low': float(x.min()),
      'high': float(x.max()),
    }
    for key, x in table.items()
  }


def baseline(label, num_classes: int) -> dict[str, float]:
  """What needs no face: accuracy of the commonest class, and UAR of chance."""
  return {
    'majority_accuracy': majority(label, num_classes)['accuracy'],
    'chance_uar': 1 / num_classes,
  }


def majority(label, num_classes: int) -> dict[str, float]:
  """Scores of always answering the commonest class of (N,) labels."""
  commonest = np.bincount(label, minlength=num_classes).argmax()
  answer = np.full(len(label), commonest)
  return metrics.scores(label, answer, num_classes)
