"""A member that diverged is a finding of the run; the others are none."""

from mefnet_jax.training import divergence, seed_results


def test_each_member_that_diverged_is_one_finding():
  results = [
    seed_results.SeedResult(),
    seed_results.SeedResult(diverged={'fold2': 3, 'fold5': 1}),
  ]
  found = divergence.findings_on((7, 8), results)
  assert [one.kind for one in found] == ['diverged', 'diverged']
  assert found[0].what.startswith('fold fold2, seed 8: loss not finite from')
  assert 'epoch 1 on' in found[1].what
