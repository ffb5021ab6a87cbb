"""Looks for every kind of leak that the available evidence can reveal."""

import numpy as np

from mefnet_jax.audit import checks, evidence, overlap, probes, reported
from mefnet_jax.runs import escape, predictions

_MOST_PROBED = 5000  # clips, because a probe compares each with all others


def find(run: evidence.Evidence, features: np.ndarray | None = None) -> dict:
  """Audits a run; the result is the 'audit' of report.json.

  Args:
    run: the evidence on the run.
    features: (N, D) for the probes, in the order of `evidence.completed_rows`;
      by default the perceptual hashes of the clips.

  Returns:
    leaks: one 'kind: description' each; kinds: the kinds that were found;
    checked: the kinds that could be checked; not_checked: the others, each
    with the evidence that is missing; notes: remarks that are no leaks but
    affect how the scores are read; probes: the results of `probes`, if there
    are features.
  """
  leaks, kinds, missing = [], [], {}
  possible = checks.kinds(run)
  for kind, (check, required) in possible.items():
    yielded = list(check(run))
    unfinished = [x for x in yielded if isinstance(x, overlap.Unfinished)]
    descriptions = [x for x in yielded if x not in unfinished]
    leaks += [f'{kind}: {text}' for text in descriptions]
    if descriptions:
      kinds.append(kind)
    elif not checks.has_evidence(run, required):
      missing[kind] = required
    if unfinished:
      missing[kind] = str(unfinished[0])
  checked = [kind for kind in possible if kind not in missing]
  if len(evidence.completed_rows(run)) > _MOST_PROBED:
    missing['probes'] = f'at most {_MOST_PROBED} clips'
  for name in reported.uncheckable(run.report):
    missing[f'reported {name}'] = (
      'no score of predictions is known by that name'
    )
  return {
    'leaks': leaks,
    'kinds': kinds,
    'checked': checked,
    'not_checked': missing,
    'notes': [note]
    if (note := predictions.contradiction(run.predictions))
    else [],
    'probes': _probes(run, features),
  }


def to_text(run: evidence.Evidence, audit: dict) -> str:
  """Formats an audit for the terminal, without control characters.

  Args:
    run: the evidence that was audited.
    audit: the return value of `find`.
  """
  count = len(audit['kinds'])
  head = 'no leak found'
  if count:
    head = f'{count} kind{"s" * (count != 1)} of leak found'
  checked = len(audit['checked'])
  lines = [f'{run.predictions.path}: {head}, {checked} kinds checked']
  lines += [f'LEAK  {leak}' for leak in audit['leaks']]
  if run.assumed:
    lines.append(
      'note  no folds given: each fold is assumed to train on all other clips'
    )
  lines += [f'note  {note}' for note in audit['notes']]
  lines += [
    f'note  not checked: {kind} (missing: {required})'
    for kind, required in audit['not_checked'].items()
  ]
  lines += [f'probe {line}' for line in probe_sentences(audit)]
  return '\n'.join(map(escape.terminal, lines))


def probe_sentences(audit: dict) -> list[str]:
  """Describes the result of each probe of an audit in one sentence.

  Args:
    audit: the return value of `find`.
  """
  sentences = []
  for name, x in audit['probes'].items():
    if name.startswith('who'):
      sentences.append(
        f'{name}: {x["balanced_accuracy"]:.0%} of the clips of {x["people"]} '
        'people are attributed to the right person (mean over people; chance '
        f'{x["chance"]:.0%})'
      )
    else:
      sentences.append(
        f'{name}: permuted labels give a UAR of {x["permuted_mean"]:.3f} '
        f'[{x["permuted_low"]:.3f}, {x["permuted_high"]:.3f}] (chance '
        f'{x["chance"]:.3f}), the true ones {x["uar"]:.3f}, p = {x["p"]:.2f}'
      )
  return sentences


def _probes(run, features):
  """Probes for the identity of the subjects, and for leaks of the folds."""
  rows = evidence.completed_rows(run)
  needed = {'subject'} if features is not None else {'subject', 'mark'}
  if not 4 <= len(rows) <= _MOST_PROBED:
    return {}
  if not all(needed <= row.keys() for row in rows):
    return {}
  subject = [row['subject'] for row in rows]
  sets = {'the features': features}
  if features is None:
    features = probes.hash_bits([row['mark'] for row in rows])
    half = features.shape[1] // 2
    sets = {'looks': features[:, :half], 'motion': features[:, half:]}
  found = {}
  for name, columns in sets.items():
    found[f'who, from {name}'] = probes.identify_subjects(columns, subject)
  # `columns` is now the motion, or all features: looks carry no emotion.
  if all(row.get('label') for row in rows):
    train, test = (
      np.array(
        [
          [row['clip'] in fold[role] for row in rows]
          for fold in run.folds.values()
        ]
      )
      for role in ('train', 'test')
    )
    # Without a fold that both trains and tests (zero_shot) nothing is fitted.
    if (train.any(1) & test.any(1)).any():
      label = [row['label'] for row in rows]
      found['label permutation, a linear model'] = probes.permute_labels(
        columns, label, train, test
      )
  return {name: x for name, x in found.items() if x}
