"""Maps made in the jitted step: their truth, and the same bits for a seed."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from mefnet_jax.synthetic import motion_basis
from mefnet_jax.training import synthetic_maps as maps
from mefnet_jax.training import synthetic_nuisances

STILL = synthetic_nuisances.Settings(
  tremor=0.0,
  rigid=(1e-6, 2e-6),
  gaze=0.0,
  speech=0.0,
  noise=(1e-6, 2e-6),
  spots=0,
  aperture=(0.0, 1e-6),
  patchy=0.0,
  blur=(0.01, 0.02),
)
QUIET = maps.Settings(
  maps=256,
  people=2,
  nothing=0.0,
  returning=0.0,
  free=0.0,
  stray=0.0,
  blink=0.0,
  nuisances=STILL,
)
# Some go back, some are of no class; a program of each would take seconds.
MIXED = dataclasses.replace(QUIET, returning=0.4, free=0.4)
WILD = dataclasses.replace(
  QUIET,
  nothing=0.5,
  blink=0.5,
  nuisances=dataclasses.replace(STILL, speech=0.5),
)


@pytest.fixture(scope='module')
def people():
  return maps.source(motion_basis.load('megc2019', seed=0, count=2))


@pytest.fixture(scope='module')
def mixed(people):
  """`maps.made` of `MIXED`, in one program for all `level`."""

  @jax.jit
  def made(people, seed, step, level):
    settings = dataclasses.replace(MIXED, level=level)
    return maps.made.__wrapped__(people, seed, step, settings)

  return lambda seed, step, level=MIXED.level: jax.device_get(
    made(people, seed, step, level)
  )


def test_a_batch_follows_from_seed_and_step(mixed):
  one, again = (mixed(3, 7) for _ in range(2))
  for name in one:
    np.testing.assert_array_equal(one[name], again[name])
  for other in ((3, 8), (4, 7)):
    assert (mixed(*other)['maps'] != one['maps']).any()


def test_an_action_unit_at_level_one_moves_its_strongest_cell_by_one(people):
  whole = people['units'].sum(2)
  flow = np.einsum('ifam,imp->ifap', whole, people['flow'])
  far = np.linalg.norm(flow.reshape(*flow.shape[:3], -1, 2), axis=-1).max(-1)
  np.testing.assert_allclose(far, 1, rtol=1e-4)


def test_a_map_is_its_levels_times_the_basis(people, mixed):
  """Also that of an expression that goes back, with levels below zero."""
  batch = mixed(0, 0)
  back = np.flatnonzero(batch['returning'])
  forth = np.flatnonzero(batch['named'])
  for k in (*back[:2], *forth[:2]):
    who, level = batch['who'][k], batch['level'][k]
    forms = [
      np.einsum('as,sam->m', level, units) @ people['flow'][who]
      for units in people['units'][who]
    ]
    exact = np.mean(forms, 0).reshape(14, 14, 2)
    for c in (0, 1):
      pair = exact[..., c].ravel(), np.asarray(batch['maps'][k, ..., c]).ravel()
      assert np.corrcoef(*pair)[0, 1] > 0.9


def test_scale_is_what_the_maps_were_divided_by(mixed):
  """So levels in the maps' own unit are levels over scale."""
  batch = mixed(0, 0)
  other = mixed(0, 0, level=(0.8, 2.0))
  np.testing.assert_allclose(other['maps'], batch['maps'], atol=2e-3)
  np.testing.assert_allclose(other['scale'], 2 * batch['scale'], rtol=1e-3)
  np.testing.assert_allclose(other['level'], 2 * batch['level'], rtol=1e-5)


@pytest.fixture(scope='module')
def truth(people):
  """Without the maps, which take most of the compilation, by settings."""
  names = ('idle', 'level', 'coded', 'label', 'named', 'returning')

  @functools.partial(jax.jit, static_argnums=2)
  def of(people, seed, settings):
    batch = maps.made.__wrapped__(people, seed, 0, settings)
    return {name: batch[name] for name in names}

  return lambda seed, settings: jax.device_get(of(people, seed, settings))


def test_an_expression_that_goes_back_is_one_reversed(mixed, truth):
  forth, mixed = truth(4, QUIET), mixed(4, 0)
  back = mixed['returning']
  assert not forth['returning'].any() and forth['named'].all()
  assert 60 < back.sum() < 140
  np.testing.assert_array_equal(mixed['idle'], back)
  assert not mixed['named'][back].any()
  np.testing.assert_allclose(mixed['level'][back], -forth['level'][back])


def test_rare_units_are_learnt_from_maps_of_no_class(mixed):
  mixed = mixed(4, 0)
  free = ~mixed['named'] & ~mixed['returning']
  assert 60 < free.sum() < 140 and not mixed['idle'][free].any()
  moved = mixed['level'][free].max(-1) > 0
  assert set(moved.sum(1)) == {1, 2, 3}
  assert moved[:, :-1].any(0).all() and not moved[:, maps.AUS.index(45)].any()


def test_classes_move_the_units_of_their_codings(truth):
  batch = truth(1, QUIET)
  moved = batch['level'].max(-1) > 0
  for kind, units in (('positive', (6, 12)), ('surprise', (1, 2, 5, 25, 26))):
    own = moved[batch['label'] == maps.CLASSES.index(kind)]
    among = [maps.AUS.index(unit) for unit in units]
    assert len(own) > 8 and own[:, among].any(1).all()
  level = batch['level'][moved]
  assert level.min() >= 0 and 0.4 < np.median(level.max(-1)) < 1.1


def test_where_nothing_happens_no_unit_moves_but_the_lids(truth):
  batch = truth(2, WILD)
  idle, lids = batch['idle'], maps.AUS.index(45)
  assert 40 < idle.sum() < 216
  assert not np.delete(batch['level'], lids, axis=1)[idle].any()
  assert batch['level'][idle, lids].any()
  assert (batch['level'][~idle].max((1, 2)) > 0).all()
  silent = batch['coded'] == 0
  assert silent.any() and not silent[~idle].any()
  assert (batch['level'][:, lids].min(-1) < 0).any()
