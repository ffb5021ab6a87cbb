"""Findings on members whose loss was not finite; the others are unaffected."""

from collections.abc import Sequence

from mefnet_jax.runs import findings
from mefnet_jax.training import jobs


def findings_on(
  seeds: Sequence[int], fitted: Sequence[jobs.Fitted]
) -> list[findings.Finding]:
  """Returns a finding for each member that has diverged.

  Args:
    seeds: of the trainings.
    fitted: their results, in the same order.
  """
  return [
    findings.Finding(
      'diverged',
      '',
      '',
      f'fold {name}, seed {seed}: loss not finite from epoch {epoch} on; its '
      'clips were given the class frequencies of its training',
    )
    for seed, one in zip(seeds, fitted, strict=True)
    for name, epoch in one.diverged.items()
  ]
