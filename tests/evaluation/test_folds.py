"""Who trains and who is tested: nobody on both sides, everybody once."""

import itertools
import types

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from mefnet_jax.evaluation import folds
from mefnet_jax.runs import errors

# Clips of each subject and each class in SMIC HS.
_SUBJECTS = dict(
  zip(
    (f's{i:02d}' for i in range(1, 21) if i not in (7, 10, 16, 17)),
    (6, 6, 39, 19, 2, 4, 13, 4, 7, 9, 10, 10, 4, 7, 2, 22),
    strict=True,
  )
)
_CLASSES = (70, 51, 43)
_ALL = ('loso', 'kfold', 'holdout', 'kfold_clips')


def _protocol(name, count=6, share=0.2):
  return types.SimpleNamespace(name=name, folds=count, test_share=share)


def _smic(seed=0):
  label = np.repeat(np.arange(3), _CLASSES)
  label = np.random.default_rng(seed).permutation(label).astype(np.int32)
  return label, tuple(np.repeat(list(_SUBJECTS), list(_SUBJECTS.values())))


@st.composite
def _releases(draw):
  """Labels and subjects of 12 to 40 clips of 4 to 9 people."""
  count = draw(st.integers(12, 40))
  people = draw(st.integers(4, 9))
  label = draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
  who = st.lists(
    st.integers(0, people - 1), min_size=count - people, max_size=count - people
  )
  subject = [f's{i}' for i in [*range(people), *draw(who)]]
  return np.array(label), np.array(subject)


@hypothesis.settings(deadline=None, max_examples=40)
@hypothesis.given(_releases(), st.sampled_from(_ALL), st.integers(0, 9))
def test_sides_are_disjoint_and_complete(release, name, seed):
  label, subject = release
  made = folds.make(_protocol(name, 4), label, subject, seed=seed)
  assert len({fold.name for fold in made}) == len(made)
  for fold in made:
    both = np.concatenate([fold.train, fold.test])
    assert sorted(both) == list(range(len(label)))
    assert len(fold.test) and len(fold.train)
    assert fold.train.dtype == fold.test.dtype == np.int32
    assert not len(fold.validation)
    if not folds.why_leaky(name):
      assert not set(subject[fold.train]) & set(subject[fold.test])
  if name != 'holdout':
    held_out = np.concatenate([fold.test for fold in made])
    assert sorted(held_out) == list(range(len(label)))


@pytest.mark.parametrize('name', _ALL)
def test_same_seed_same_folds(name):
  label, subject = _smic()
  first, again = (
    folds.make(_protocol(name), label, subject, seed=3) for _ in range(2)
  )
  for a, b in zip(first, again, strict=True):
    assert a.name == b.name
    np.testing.assert_array_equal(a.test, b.test)


@pytest.mark.parametrize('seed', range(4))
def test_kfold_is_balanced_and_every_side_has_every_class(seed):
  label, subject = _smic(seed)
  made = folds.make(_protocol('kfold'), label, subject, seed=seed)
  assert [fold.name for fold in made] == [f'fold{i}' for i in range(1, 7)]
  sizes = sorted(len(fold.test) for fold in made)
  # One subject alone has 39 clips; the other folds share the rest evenly.
  assert sizes[-1] == 39 and sizes[0] >= 20 and sizes[-2] <= 30
  for fold in made:
    assert set(label[fold.train]) == {0, 1, 2}


def test_kfold_keeps_every_class_in_training_where_possible():
  rng = np.random.default_rng(0)
  for _ in range(60):
    people, classes, count = rng.integers((4, 2, 2), (7, 5, 4))
    counts_SC = rng.integers(0, 9, (people, classes)) ** 2 * (
      rng.random((people, classes)) < 0.4
    )
    counts_SC[:, 0] += 1
    subject, label = _clips(counts_SC)
    made = folds.make(_protocol('kfold', count), label, subject, seed=1)
    lost = sum(len(set(label) - set(label[fold.train])) for fold in made)
    assert lost == _fewest_lost(counts_SC, count)


def test_kfold_would_rather_be_uneven_than_lose_a_class():
  # Evenness alone gives the first class, which two have, to one side.
  subject, label = _clips(np.array([[9, 0], [0, 1], [1, 4], [0, 36]]))
  for fold in folds.make(_protocol('kfold', 2), label, subject, seed=0):
    assert set(label[fold.train]) == {0, 1}


def test_kfold_leaves_no_fold_empty():
  people = np.arange(5)
  made = folds.make(_protocol('kfold', 5), people, people, seed=0)
  assert [len(fold.test) for fold in made] == [1] * 5


def _clips(counts_SC):
  s, c = np.indices(counts_SC.shape)
  times = counts_SC.ravel()
  return np.repeat(s.ravel(), times).astype(str), np.repeat(c.ravel(), times)


def _fewest_lost(counts_SC, count):
  """Classes that a training side must lack, over all assignments."""
  present = counts_SC.sum(0) > 0
  fewest = np.inf
  for assigned in itertools.product(range(count), repeat=len(counts_SC)):
    train_KC = [counts_SC[np.array(assigned) != k].sum(0) for k in range(count)]
    if len(set(assigned)) == count:
      fewest = min(fewest, (present & (np.array(train_KC) == 0)).sum())
  return fewest


def test_kfold_does_not_hang_on_the_order_of_clips():
  label, subject = _smic()
  order = np.random.default_rng(1).permutation(len(label))
  shuffled = np.array(subject)[order]
  first = folds.make(_protocol('kfold'), label, subject, seed=0)
  second = folds.make(_protocol('kfold'), label[order], shuffled, seed=0)
  for a, b in zip(first, second, strict=True):
    assert a.test_subjects == b.test_subjects


def test_loso_holds_out_one_subject_a_fold():
  label, subject = _smic()
  made = folds.make(_protocol('loso'), label, subject, seed=0)
  assert [fold.name for fold in made] == sorted(_SUBJECTS)
  assert [len(fold.test) for fold in made] == list(_SUBJECTS.values())


def test_split_strings_say_who_is_where():
  label, subject = _smic()
  fold = folds.make(_protocol('loso'), label, subject, seed=0)[2]
  train, test = folds.split_strings(fold)
  assert test == 's03'
  assert train.split('+') == [s for s in sorted(_SUBJECTS) if s != 's03']
  leaky = folds.make(_protocol('holdout'), label, subject, seed=0)[0]
  assert folds.split_strings(leaky) is None


def test_holdout_takes_its_share_of_each_class():
  label, subject = _smic()
  (fold,) = folds.make(_protocol('holdout'), label, subject, seed=0)
  assert fold.name == 'holdout'
  assert len(fold.test) == 33
  taken = np.bincount(label[fold.test])
  assert (np.abs(taken - 0.2 * np.array(_CLASSES)) <= 1).all()


def test_holdout_keeps_a_clip_of_each_class_in_training():
  label = np.array([0, 1, 1, 1, 2])
  made = folds.make(_protocol('holdout', share=0.8), label, label, seed=0)
  assert set(label[made[0].train]) == {0, 1, 2}


def test_kfold_clips_is_even_in_size_and_class():
  label, subject = _smic()
  made = folds.make(_protocol('kfold_clips'), label, subject, seed=0)
  counts_KC = np.array([np.bincount(label[fold.test]) for fold in made])
  assert np.ptp(counts_KC, axis=0).max() <= 1
  assert np.ptp(counts_KC.sum(1)) <= 1


def test_leaky_protocols_say_why():
  assert not folds.why_leaky('loso') and not folds.why_leaky('kfold')
  for name in ('holdout', 'kfold_clips'):
    assert 'same people' in folds.why_leaky(name)


@pytest.mark.parametrize(
  ('protocol', 'people', 'mend'),
  [
    (_protocol('kfold', 6), 3, '--config.protocol.folds to 2 .. 3'),
    (_protocol('kfold', 1), 3, '--config.protocol.folds to 2 .. 3'),
    (_protocol('kfold', 2), 1, 'add subjects'),
    (_protocol('loso'), 1, 'add subjects'),
    (_protocol('kfold_clips', 99), 3, '--config.protocol.folds to 2 .. 12'),
    (_protocol('holdout', share=1.0), 3, '--config.protocol.test_share'),
    (_protocol('holdout', share=0.01), 3, '--config.protocol.test_share'),
    (
      _protocol('kold'),
      3,
      'loso|kfold|cross_database|zero_shot|holdout|kfold_clips',
    ),
  ],
)
def test_a_mistake_is_one_line_with_its_mend(protocol, people, mend):
  label = np.arange(12) % 2
  subject = [f's{i % people}' for i in range(12)]
  with pytest.raises(errors.UserError) as caught:
    folds.make(protocol, label, subject, seed=0)
  assert mend in str(caught.value) and '\n' not in str(caught.value)


def test_zero_shot_holds_every_clip_out_and_trains_on_none():
  protocol = types.SimpleNamespace(name='zero_shot')
  (fold,) = folds.make(protocol, [0, 1, 1], ['a', 'a', 'b'], seed=0)
  assert fold.test.tolist() == [0, 1, 2] and fold.test_subjects == ('a', 'b')
  assert not len(fold.train) and not len(fold.validation)
