"""Ways in which a held-out clip, or its person, reaches a score.

A check, one for each way, takes `evidence.Evidence` and yields what it found,
in words that name the fold and the clips; nothing where nothing is known.
"""

import collections
from collections.abc import Iterator

import numpy as np

from mefnet_jax.audit import evidence, overlap, reported
from mefnet_jax.runs import facts

_CLOSE = 1e-3  # scores are often rounded to three digits


def scored_without_being_held_out(seen: evidence.Evidence) -> Iterator[str]:
  """A clip's prediction comes from a fold that does not test it."""
  rows = zip(seen.made.clip, seen.made.fold, strict=True)
  wrong = [
    f'{clip} by {fold}'
    for clip, fold in rows
    if clip not in seen.folds.get(fold, {'test': ()})['test']
  ]
  if wrong:
    yield overlap.named(wrong, 'clip')


def fitted_on_held_out(seen: evidence.Evidence, thing: str) -> Iterator[str]:
  """A statistic was computed from clips that it is then tested on."""
  fact = seen.told.get('fitted', {}).get(thing, {})
  on = fact.get('on')
  if on in ('everything', 'held-out'):
    yield f'fitted on {on}'
  for name, clips in on.items() if isinstance(on, dict) else ():
    both = sorted(set(clips) & set(seen.folds.get(name, {}).get('test', ())))
    if both:
      yield f'{name}: {overlap.named(both, "clip")}'
  if thing == 'class weights':
    yield from _weights(seen, fact.get('values', {}))


def chosen_on_held_out(seen: evidence.Evidence, what: str) -> Iterator[str]:
  """The epoch, or a setting, was chosen by the score that is reported."""
  chosen = seen.told.get('chosen', {}).get(what)
  if chosen in ('held-out', 'test', 'oracle'):
    yield 'chosen by the score of the held-out clips'
  elif what == 'epoch' and seen.report.get('selection') == 'oracle':
    yield 'the report says selection oracle'
  elif what == 'epoch' and chosen != 'validation':
    yield from _best_epochs(seen)


def folds_averaged(seen: evidence.Evidence) -> Iterator[str]:
  """The reported scores are means over folds, not scores of the pool."""
  if seen.told.get('scoring') == 'averaged':
    yield 'the facts say so'
  yield from reported.wrong(seen)


def labels_follow_files(seen: evidence.Evidence) -> Iterator[str]:
  """Each class is one block in the order of the files, which clips.csv keeps;
  predictions may come in any order."""
  label = [row.get('label', '') for row in seen.clips.values()]
  if not all(label):
    known = dict(zip(seen.made.clip, seen.made.label.tolist(), strict=True))
    label = [known.get(clip) for clip in seen.clips]
  classes = len(set(label))
  blocks = 1 + sum(a != b for a, b in zip(label, label[1:], strict=False))
  if classes > 1 and len(label) >= 4 * classes and blocks == classes:
    yield (
      f'{len(label)} clips come in {blocks} blocks of one class each: a label '
      'may be a position in the list'
    )


def permuted_labels_learnt(seen: evidence.Evidence) -> Iterator[str]:
  """A run with permuted labels scores above chance."""
  bounds = seen.permuted.get('intervals', {}).get('uar')
  chance = seen.permuted.get('baseline', {}).get('chance_uar')
  if bounds and chance is not None and bounds[0] > chance:
    yield (
      f'UAR {seen.permuted["metrics"]["uar"]:.3f} [{bounds[0]:.3f}, '
      f'{bounds[1]:.3f}] with permuted labels, chance {chance:.3f}'
    )


def _weights(seen, values):
  """Class weights that are those of all clips, not of the training clips."""
  label = {clip: row.get('label') for clip, row in seen.clips.items()}
  for name, said in values.items():
    fold = seen.folds.get(name)
    if fold and all(
      label.get(clip) for clip in [*fold['train'], *fold['test']]
    ):
      fair = _inverse([label[clip] for clip in fold['train']])
      off = {c for c in said if abs(said[c] - fair.get(c, 0)) > _CLOSE}
      if off:
        yield (
          f'{name}: weights not those of its training clips: '
          f'{overlap.named(sorted(off), "class")}'
        )


def _inverse(labels):
  """Inverse frequency of each class, with mean 1 over the clips."""
  count = collections.Counter(labels)
  return {c: len(labels) / (len(count) * n) for c, n in count.items()}


def _best_epochs(seen):
  """Folds whose scores are their best epoch's though the last one's differ."""
  rows = [row for row in seen.history if row.get('split') == 'held-out']
  if not rows or len({row.get('seed', 0) for row in rows}) > 1:
    return
  right = seen.made.label == seen.made.predicted
  fold, moved = np.array(seen.made.fold), []
  for name in np.unique(fold):
    curve = [row.get('accuracy') for row in rows if row['fold'] == name]
    curve = [x for x in curve if facts.number(x)]
    score = right[fold == name].mean()
    if not curve or score < max(curve) - _CLOSE:
      return
    if score > curve[-1] + _CLOSE:
      moved.append(str(name))
  if moved:
    yield (
      'every fold is scored at its best epoch, and it is not the last of '
      f'{overlap.named(moved, "fold")}'
    )
