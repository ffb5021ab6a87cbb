"""Findings on members whose loss was not finite; the others are unaffected."""

from collections.abc import Sequence

from mefnet_jax.runs import findings
from mefnet_jax.training import seed_results


def findings_on(
  seeds: Sequence[int], results: Sequence[seed_results.SeedResult]
) -> list[findings.Finding]:
  """Returns a finding for each member that has diverged.

  Args:
    seeds: numbers of the seeds.
    results: the result of each seed, in the same order.
  """
  return [
    findings.Finding(
      'diverged',
      '',
      '',
      f'fold {name}, seed {seed}: loss not finite from epoch {epoch} on; its '
      'clips were given the class frequencies of its training',
    )
    for seed, one in zip(seeds, results, strict=True)
    for name, epoch in one.diverged.items()
  ]
