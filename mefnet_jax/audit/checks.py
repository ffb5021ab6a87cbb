"""The kinds of leak, with the check for each and the evidence it requires."""

import functools

from mefnet_jax.audit import evidence, overlap, procedure, reported, spotting
from mefnet_jax.runs import facts

# Kind of leak: (check, name of the evidence that the check requires).
KINDS = {
  'subject on both sides': (overlap.subject_on_both_sides, 'folds'),
  'one subject under two names': (overlap.subject_under_two_names, 'folds'),
  'same clip on both sides': (overlap.clip_on_both_sides, 'folds file'),
  'scored clip not held out': (
    procedure.scored_without_being_held_out,
    'folds file',
  ),
  'test clips used for validation': (
    overlap.test_clip_for_validation,
    'folds file',
  ),
  'identical clips on both sides': (overlap.identical_clips, 'sha256'),
  'near-identical clips on both sides': (overlap.near_identical_clips, 'mark'),
  **{
    f'{thing} fitted on held-out clips': (
      functools.partial(procedure.fitted_on_held_out, thing=thing),
      f'facts on {thing}',
    )
    for thing in facts.FITTED
  },
  'epoch chosen on held-out clips': (
    functools.partial(procedure.chosen_on_held_out, what='epoch'),
    'facts on epoch, or curves',
  ),
  'hyper-parameters chosen on held-out clips': (
    functools.partial(procedure.chosen_on_held_out, what='hyper-parameters'),
    'facts on hyper-parameters',
  ),
  'folds averaged instead of pooled': (
    procedure.folds_averaged,
    'report, or facts on scoring',
  ),
  'reported score not that of the predictions': (
    procedure.not_of_the_predictions,
    'report',
  ),
  'labels follow the order of files': (procedure.labels_follow_files, 'clips'),
  'real clips in zero-shot training': (
    procedure.real_clips_in_zero_shot_training,
    '',
  ),
  "test labels corrected from a model's answers": (
    procedure.test_labels_corrected,
    'facts on labels',
  ),
  'permuted labels are learnt': (procedure.permuted_labels_learnt, 'permuted'),
}

# The kinds that only spotting has; its clips are videos.
SPOTTING = {
  **{
    f'{thing} fitted on held-out videos': (
      functools.partial(procedure.fitted_on_held_out, thing=thing),
      f'facts on fitting {thing}',
    )
    for thing in facts.SPOTTING_FITTED
  },
  **{
    f'{what} chosen on held-out videos': (
      functools.partial(procedure.chosen_on_held_out, what=what),
      f'facts on choosing {what}',
    )
    for what in facts.SPOTTING_CHOSEN
  },
  'truth that no fold tests': (spotting.truth_not_tested, 'truth'),
}
# Kinds that are also checked in spotting, since they need no labels.
_ALSO_IN_SPOTTING = (
  'subject on both sides',
  'one subject under two names',
  'same clip on both sides',
  'scored clip not held out',
  'test clips used for validation',
  'normalisation fitted on held-out clips',
  'landmarks fitted on held-out clips',
  'epoch chosen on held-out clips',
  'hyper-parameters chosen on held-out clips',
  "test labels corrected from a model's answers",
)


def kinds(run: evidence.Evidence) -> dict:
  """Returns the kinds of leak that a run may have.

  Args:
    run: the evidence on the run, of clips or of spotting.

  Returns:
    A part of `KINDS`, and `SPOTTING` if it is spotting.
  """
  if not run.spotting:
    return KINDS
  return {kind: KINDS[kind] for kind in _ALSO_IN_SPOTTING} | SPOTTING


def has_evidence(run: evidence.Evidence, required: str) -> bool:
  """Returns whether the run has the evidence of that name.

  Args:
    run: the evidence on the run.
    required: a name of evidence in `KINDS` or `SPOTTING`.
  """
  rows = list(run.clip_rows.values())
  trained = any(fold['train'] for fold in run.folds.values())
  stated = run.facts.keys() | run.facts.get('chosen', {}).keys()
  fitted, chosen = (run.facts.get(x, {}) for x in ('fitted', 'chosen'))
  stated |= fitted.keys()
  curves = any(row['split'] == 'held-out' for row in run.history)
  scored = bool(reported.checkable(run.report))
  return {
    '': True,
    'clips': bool(rows),
    'folds': trained,
    'folds file': trained and not run.assumed,
    'sha256': trained and any(row.get('sha256') for row in rows),
    'mark': trained and any(row.get('mark') for row in rows),
    'facts on epoch, or curves': 'epoch' in stated or curves,
    'report': scored,
    'report, or facts on scoring': scored or 'scoring' in stated,
    'permuted': bool(run.permuted),
    **{f'facts on {thing}': thing in stated for thing in facts.FITTED},
    'facts on hyper-parameters': 'hyper-parameters' in stated,
    'facts on labels': 'labels' in stated,
    **{f'facts on fitting {x}': x in fitted for x in facts.SPOTTING_FITTED},
    **{f'facts on choosing {x}': x in chosen for x in facts.SPOTTING_CHOSEN},
    'truth': bool(run.truth),
  }[required]
