"""Confidence intervals of scores, their spread over seeds, and baselines."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from mefnet_jax.evaluation import metrics


def bootstrap(
  label: npt.ArrayLike,
  predicted: npt.ArrayLike,
  subject: npt.ArrayLike,
  num_classes: int,
  *,
  draws: int = 2000,
  seed: int = 0,
) -> dict[str, list[float] | None]:
  """Returns 95 % intervals of the pooled scores, bootstrapped over subjects.

  Clips of one person are not independent, so whole subjects are drawn with
  replacement, each with all of their clips; the bounds are percentiles of the
  pooled scores (percentile bootstrap).

  Args:
    label: (N,) true classes.
    predicted: (N,) predicted classes.
    subject: (N,) names.
    num_classes: C.
    draws: bootstrap samples.
    seed: for drawing the samples.

  Returns:
    [low, high] for each key of `metrics.scores`; None for every key if there
    are fewer than two subjects.
  """
  names, who = np.unique(np.asarray(subject), return_inverse=True)
  if len(names) < 2:
    return dict.fromkeys(metrics.scores(label, predicted, num_classes))
  counts_SCC = metrics.confusion_by_group(
    who, label, predicted, len(names), num_classes
  )
  return over_subjects(
    {'counts_CC': counts_SCC}, metrics.from_confusion, draws=draws, seed=seed
  )


def over_subjects(
  parts: Mapping[str, np.ndarray],
  score: Callable[..., dict[str, np.ndarray]],
  *,
  draws: int = 2000,
  seed: int = 0,
) -> dict[str, list[float] | None]:
  """Returns 95 % intervals of scores of sums over subjects.

  Whole subjects are drawn with replacement (percentile bootstrap).

  Args:
    parts: counts (S, ...) by name, which add up over the S subjects.
    score: takes sums (D, ...) of them by the same names and gives scores (D,).
    draws: D, bootstrap samples.
    seed: for drawing the samples.

  Returns:
    [low, high] for each score; None for every one if there are fewer than two
    subjects, and for one that is nan.
  """
  subjects = len(next(iter(parts.values())))
  if subjects < 2:
    return dict.fromkeys(score(**{name: x.sum(0) for name, x in parts.items()}))
  # Drawing how often each subject occurs, instead of clips, turns all draws
  # into one matrix product.
  times_DS = np.random.default_rng(seed).multinomial(
    subjects, np.full(subjects, 1 / subjects), size=draws
  )
  drawn = score(
    **{name: np.tensordot(times_DS, x, axes=1) for name, x in parts.items()}
  )
  return {
    key: None
    if np.isnan(drawn_D).all()
    else np.percentile(drawn_D, (2.5, 97.5)).tolist()
    for key, drawn_D in drawn.items()
  }


def spread_over_seeds(
  scores: list[dict[str, float]],
) -> dict[str, dict[str, float]]:
  """Returns mean, std (n - 1), low and high of each score over the seeds.

  Empty for fewer than two seeds.
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


def baseline(label: npt.ArrayLike, num_classes: int) -> dict[str, float]:
  """Returns the accuracy of the commonest class, and the UAR of chance."""
  return {
    'majority_accuracy': majority_scores(label, num_classes)['accuracy'],
    'chance_uar': 1 / num_classes,
  }


def majority_scores(label: npt.ArrayLike, num_classes: int) -> dict[str, float]:
  """Returns the scores of always predicting the commonest of (N,) labels."""
  label = np.asarray(label)
  commonest = np.bincount(label, minlength=num_classes).argmax()
  answer = np.full(len(label), commonest)
  return metrics.scores(label, answer, num_classes)
