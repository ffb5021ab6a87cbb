"""Checks for procedures that let held-out clips influence a score.

Each check takes the evidence on a run and yields one description per finding,
which names the fold and the clips; without evidence it yields nothing.
"""

import collections
from collections.abc import Iterator

import numpy as np

from mefnet_jax.audit import evidence, overlap, reported
from mefnet_jax.runs import facts, names

_TOLERANCE = 1e-3  # scores are often rounded to three digits


def scored_without_being_held_out(run: evidence.Evidence) -> Iterator[str]:
  """Yields clips whose prediction comes from a fold that does not test them."""
  rows = zip(run.predictions.clip, run.predictions.fold, strict=True)
  wrong = [
    f'{clip} by {fold}'
    for clip, fold in rows
    if clip not in run.folds.get(fold, {'test': ()})['test']
  ]
  if wrong:
    yield overlap.count_and_name(wrong, 'clip')


def fitted_on_held_out(run: evidence.Evidence, thing: str) -> Iterator[str]:
  """Yields statistics that were computed from held-out clips.

  Args:
    run: the evidence on the run.
    thing: one of `facts.FITTED` or `facts.SPOTTING_FITTED`.
  """
  fact = run.facts.get('fitted', {}).get(thing, {})
  on = fact.get('on')
  if isinstance(on, dict):
    yield from _tested_among(run, on)
  elif on in ('everything', 'held-out'):
    yield f'fitted on {on}'
  if thing == 'class weights':
    yield from _weights(run, fact.get('values', {}))


def chosen_on_held_out(run: evidence.Evidence, what: str) -> Iterator[str]:
  """Yields a finding if something was chosen by held-out clips or their score.

  Args:
    run: the evidence on the run.
    what: one of `facts.CHOSEN` or `facts.SPOTTING_CHOSEN`.
  """
  chosen = run.facts.get('chosen', {}).get(what)
  if isinstance(chosen, dict):
    yield from _tested_among(run, chosen)
  elif chosen in ('held-out', 'test', 'oracle'):
    yield 'chosen by the score of the held-out clips'
  elif what == 'epoch' and run.report.get('selection') == 'oracle':
    yield 'the report states selection: oracle'
  elif what == 'epoch' and chosen != 'validation':
    yield from _best_epochs(run)


def test_labels_corrected(run: evidence.Evidence) -> Iterator[str]:
  """Yields held-out clips whose annotators saw a model's answers.

  Annotators tend to agree with what they are shown, so that the score also
  measures how well the network follows that model.
  """
  tested = {clip for fold in run.folds.values() for clip in fold['test']}
  by_model = run.facts.get('labels', {}).get('corrected from', {})
  for model, clips in by_model.items():
    both = sorted(tested & set(clips))
    if both:
      yield f'answers of {model}: {overlap.count_and_name(both, "clip")}'


def folds_averaged(run: evidence.Evidence) -> Iterator[str]:
  """Yields reported scores that differ from those of the pooled predictions."""
  if run.facts.get('scoring') == 'averaged':
    yield 'the facts state scoring: averaged'
  yield from reported.contradicted(run, averaged=True)


def not_of_the_predictions(run: evidence.Evidence) -> Iterator[str]:
  """Yields reported scores that do not follow from the predictions at all."""
  yield from reported.contradicted(run, averaged=False)


def labels_follow_files(run: evidence.Evidence) -> Iterator[str]:
  """Yields a finding if each class is one block in the order of the files.

  clips.csv keeps that order; predictions may have any other.
  """
  label = [row.get('label', '') for row in run.clip_rows.values()]
  if not all(label):
    known = dict(
      zip(run.predictions.clip, run.predictions.label.tolist(), strict=True)
    )
    label = [known.get(clip) for clip in run.clip_rows]
  classes = len(set(label))
  blocks = 1 + sum(a != b for a, b in zip(label, label[1:], strict=False))
  # A few clips may have such an order by chance.
  if classes > 1 and len(label) >= 4 * classes and blocks == classes:
    yield (
      f'{len(label)} clips come in {blocks} blocks of one class each: a label '
      'may be a position in the list'
    )


def real_clips_in_zero_shot_training(run: evidence.Evidence) -> Iterator[str]:
  """Yields a finding if the weights of a zero-shot run have seen real clips."""
  if run.report.get('protocol') != 'zero_shot':
    return
  learnt = {
    clip
    for fold in run.folds.values()
    for role in ('train', 'validation')
    for clip in fold[role]
  }
  if learnt and not run.assumed:
    yield overlap.count_and_name(sorted(learnt), 'clip')
  if not run.model:
    yield 'no model.json states the training of the weights'
  elif run.model.get('training', {}).get('real_clips') != 0:
    yield 'the weights were trained on real clips, by their model.json'


def permuted_labels_learnt(run: evidence.Evidence) -> Iterator[str]:
  """Yields a finding if the run with permuted labels scores above chance."""
  bounds = run.permuted.get('intervals', {}).get('uar')
  chance = run.permuted.get('baseline', {}).get('chance_uar')
  if bounds and chance is not None and bounds[0] > chance:
    yield (
      f'UAR {run.permuted["metrics"]["uar"]:.3f} [{bounds[0]:.3f}, '
      f'{bounds[1]:.3f}] with permuted labels, chance {chance:.3f}'
    )


def _tested_among(run, clips_by_fold):
  """Yields clips that a fold used for a fit or a choice, and tests."""
  for name, clips in clips_by_fold.items():
    both = sorted(set(clips) & set(run.folds.get(name, {}).get('test', ())))
    if both:
      yield f'{name}: {overlap.count_and_name(both, "clip")}'


def _weights(run, values):
  """Yields class weights that do not follow from training clips alone."""
  label = {
    clip: names.label_key(row.get('label') or '')
    for clip, row in run.clip_rows.items()
  }
  for name, stated in values.items():
    fold = run.folds.get(name)
    if fold and all(
      label.get(clip) for clip in [*fold['train'], *fold['test']]
    ):
      fair = _inverse_frequencies([label[clip] for clip in fold['train']])
      weights = {names.label_key(c): w for c, w in stated.items()}
      scale = _scale(weights, fair)
      off = {
        c
        for c, w in weights.items()
        if abs(w * scale - fair.get(c, 0)) > _TOLERANCE
      }
      if off:
        yield (
          f'{name}: weights not those of its training clips: '
          f'{overlap.count_and_name(sorted(off), "class")}'
        )


def _scale(weights, fair):
  """The factor that brings weights to the sum of the fair ones.

  Losses differ by a common factor of all weights, which is no leak.
  """
  total = sum(weights.get(c, 0) for c in fair)
  return sum(fair.values()) / total if total > 0 else 1.0


def _inverse_frequencies(labels):
  """Inverse frequency of each class, with a mean of 1 over the clips."""
  count = collections.Counter(labels)
  return {c: len(labels) / (len(count) * n) for c, n in count.items()}


def _best_epochs(run):
  """Yields a finding if each fold is scored at its best epoch, not its last."""
  rows = [row for row in run.history if row.get('split') == 'held-out']
  if not rows or len({row.get('seed', 0) for row in rows}) > 1:
    return  # the curves are of single seeds, the predictions of their mean
  right = run.predictions.label == run.predictions.predicted
  fold, moved = np.array(run.predictions.fold), []
  for name in np.unique(fold):
    curve = [row.get('accuracy') for row in rows if row['fold'] == name]
    curve = [x for x in curve if facts.is_number(x)]
    score = right[fold == name].mean()
    # If epochs were chosen by the scores, every fold has its best one.
    if not curve or score < max(curve) - _TOLERANCE:
      return
    if score > curve[-1] + _TOLERANCE:
      moved.append(str(name))
  if moved:
    yield (
      'every fold is scored at its best epoch, and it is not the last of '
      f'{overlap.count_and_name(moved, "fold")}'
    )
