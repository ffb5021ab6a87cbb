"""Transfer: each fold's head is chosen and trained on its own people alone."""

import dataclasses
import json
import threading
import types

import numpy as np
import pytest

from mefnet_jax.evaluation import folds
from mefnet_jax.runs import csv_table, errors
from mefnet_jax.training import transfer, zero_shot

PEOPLE, CLIPS = 8, 6


def inputs(*, signal: float, seed: int = 0) -> transfer.Inputs:
  """The network knows nothing; the features show the class by a signal."""
  random = np.random.default_rng(seed)
  label = np.arange(PEOPLE * CLIPS) % 3
  layers = random.normal(size=(len(label), 4))
  layers[:, :3] += signal * np.eye(3)[label]
  both = np.concatenate([random.normal(size=(len(label), 4)), layers], 1)
  return transfer.Inputs(
    random.dirichlet([5, 5, 5], len(label)),
    {'layers': layers, 'map and layers': both},
    label,
    np.array([f's{i // CLIPS}' for i in range(len(label))]),
  )


def test_a_signal_in_the_features_is_learnt():
  clips = inputs(signal=4.0)
  new = clips.subject == 's0'
  learnt, tested = clips.part(~new), clips.part(new)
  found = transfer.choose(learnt, 's0', 5, seed=0)
  assert found.head != transfer.AS_IT_IS[0]
  assert found.error < 0.5 * found.error_as_it_is
  answers = transfer.probabilities(found, learnt, tested)
  assert (answers.argmax(1) == tested.label).all()


def test_where_nothing_helps_the_network_is_left_as_it_is():
  """Features of noise, and a network that is right already."""
  clips = inputs(signal=0.0)
  sure = dataclasses.replace(clips, network=np.eye(3)[clips.label])
  found = transfer.choose(sure, 's0', 5, seed=0)
  assert (found.head, found.strength) == transfer.AS_IT_IS
  assert found.error == 0
  np.testing.assert_array_equal(
    transfer.probabilities(found, sure, sure), sure.network
  )


def test_one_person_is_too_few():
  clips = inputs(signal=1.0)
  alone = clips.part(clips.subject == 's3')
  with pytest.raises(errors.UserError, match='one subject s3'):
    transfer.choose(alone, 's0', 5, seed=0)


@pytest.fixture
def run(tmp_path, monkeypatch):
  """Trains on given clips; a (held-out probabilities, workdir) each time."""

  def trained(clips):
    names = types.SimpleNamespace(name='loso')
    job = types.SimpleNamespace(
      splits=folds.make(names, clips.label, clips.subject, seed=0),
      config=types.SimpleNamespace(transfer=types.SimpleNamespace(folds=3)),
      source=types.SimpleNamespace(
        clip=tuple(f'c{i}' for i in range(len(clips.label)))
      ),
      stop=threading.Event(),
      workdir=tmp_path,
    )
    facts = {'chosen': {}, 'fitted': {}}
    (tmp_path / 'facts.json').write_text(json.dumps(facts))
    model = types.SimpleNamespace(description={'parameters': 9})
    monkeypatch.setattr(zero_shot, 'open_model', lambda job: model)
    monkeypatch.setattr(transfer, '_inputs', lambda model, job: clips)
    (fitted,) = transfer.train(job, (0,))
    return fitted.held_out, job

  return trained


def test_a_held_out_person_has_no_part_in_their_own_answers(run):
  """Other labels change nothing for them, and everything for others."""
  clips = inputs(signal=1.0)
  before, job = run(clips)
  label = clips.label.copy()
  label[clips.subject == 's2'] = (label[clips.subject == 's2'] + 1) % 3
  after, _ = run(dataclasses.replace(clips, label=label))
  names = [fold.name for fold in job.splits]
  k = names.index('s2')
  np.testing.assert_array_equal(before[k], after[k])
  assert all(
    abs(before[i] - after[i]).max() > 1e-6 for i in range(len(names)) if i != k
  )


def test_a_run_says_by_which_clips_it_chose(run):
  clips = inputs(signal=1.0)
  _, job = run(clips)
  facts = json.loads((job.workdir / 'facts.json').read_text())
  said = facts['chosen']['hyper-parameters']
  for fold in job.splits:
    assert said[fold.name] == [job.source.clip[i] for i in fold.train]
  rows = [row for _, row in csv_table.filled(job.workdir / 'choices.csv', [])]
  assert [row['fold'] for row in rows] == [fold.name for fold in job.splits]
  heads = {transfer.AS_IT_IS[0], *transfer.HEADS}
  assert {row['head'] for row in rows} <= heads
