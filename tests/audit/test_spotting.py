"""Leaks of spotting: each planted one is named, a clean run raises none."""

import json

import pytest

from mefnet_jax.audit import audit, checks, spotting
from mefnet_jax.runs import errors
from tests.fixtures import audited_runs, forked

CLEAN = {
  'chosen': {'epoch': 'nothing', 'hyper-parameters': 'nothing'}
  | {'threshold': 'validation', 'k_p': 'nothing'},
  'fitted': {
    'k_p': {'on': 'training'},
    'normalisation': {'on': 'each clip alone'},
    'landmarks': {'on': 'each clip alone'},
  },
  'labels': {},
}


@pytest.fixture
def folder(tmp_path):
  """Six videos of three people, one person a fold."""
  people = {f'v{n}': f's{n // 2 + 1}' for n in range(6)}
  audited_runs.write(
    tmp_path / 'folds.csv',
    [
      {
        'clip': f'{video}.mp4',
        'subject': who,
        'fold': f'fold_{held_out}',
        'role': 'test' if who == held_out else 'train',
      }
      for held_out in sorted(set(people.values()))
      for video, who in people.items()
    ],
  )
  for name in ('truth', 'events'):
    audited_runs.write(
      tmp_path / f'{name}.csv',
      [{'video': video, 'onset': 5, 'offset': 15} for video in people],
    )
  (tmp_path / 'facts.json').write_text(json.dumps(CLEAN))
  return tmp_path


def found(folder):
  paths = {x: folder / f'{x}.csv' for x in ('folds', 'truth')}
  run = spotting.from_files(
    folder / 'events.csv', facts=folder / 'facts.json', **paths
  )
  return audit.find(run)


def test_a_clean_run_raises_none(folder):
  said = found(folder)
  assert said['leaks'] == [] and said['not_checked'] == {}
  assert set(checks.SPOTTING) < set(said['checked'])


def _fact(part, name, value):
  def edit(folder):
    facts = json.loads(json.dumps(CLEAN))
    facts[part][name] = value
    (folder / 'facts.json').write_text(json.dumps(facts))

  return edit


def _row(file, change):
  def edit(folder):
    audited_runs.change(folder / file, change)

  return edit


@pytest.mark.parametrize(
  'plant, leak',
  [
    (
      _fact('fitted', 'k_p', {'on': 'everything'}),
      'k_p fitted on held-out videos: fitted on everything',
    ),
    (
      _fact('fitted', 'k_p', {'on': {'fold_s1': ['v1.mp4', 'v2.mp4']}}),
      'k_p fitted on held-out videos: fold_s1: 1 clip: v1',
    ),
    (
      _fact('chosen', 'k_p', 'test'),
      'k_p chosen on held-out videos: chosen by the score of the held-out',
    ),
    (
      _fact('chosen', 'threshold', 'held-out'),
      'threshold chosen on held-out videos: chosen by the score',
    ),
    (
      _fact('chosen', 'epoch', 'oracle'),
      'epoch chosen on held-out clips: chosen by the score',
    ),
    (
      _fact('labels', 'corrected from', {'mefnet-zero': ['v3']}),
      "test labels corrected from a model's answers: answers of mefnet-zero: "
      '1 clip: v3',
    ),
    (
      _row('events.csv', lambda rows: [*rows, rows[0] | {'video': 'v9'}]),
      'scored clip not held out: 1 clip: v9 by ',
    ),
    (
      _row('truth.csv', lambda rows: [*rows, rows[0] | {'video': 'v9'}]),
      'truth that no fold tests: 1 video: v9',
    ),
    (
      _row(
        'folds.csv',
        lambda rows: [
          *rows,
          rows[0] | {'clip': 'w', 'subject': 's1', 'role': 'train'},
        ],
      ),
      'subject on both sides: fold_s1',
    ),
  ],
)
def test_a_planted_leak_is_named(folder, plant, leak):
  plant(folder)
  (said,) = found(folder)['leaks']
  assert said.startswith(leak)


def test_what_the_facts_do_not_say_is_not_checked(folder):
  (folder / 'facts.json').write_text('{}')
  missing = found(folder)['not_checked']
  assert missing['k_p fitted on held-out videos'] == 'facts on fitting k_p'
  assert missing['threshold chosen on held-out videos'] == (
    'facts on choosing threshold'
  )


def test_an_unknown_word_is_an_error(folder):
  _fact('chosen', 'threshhold', 'test')(folder)
  with pytest.raises(errors.UserError, match="no 'threshhold'"):
    found(folder)


@pytest.mark.parametrize(
  'arguments, status, said',
  [
    (['--folds={}/folds.csv'], 0, 'no leak found'),
    ([], 1, '--events needs --folds'),
    (['--folds={}/folds.csv', '--clips=c.csv'], 1, '--events and --clips'),
  ],
)
def test_the_command(folder, arguments, status, said):
  words = [f'--events={folder}/events.csv']
  words += [x.format(folder) for x in arguments]
  done = forked.run('mefnet_jax.audit', words)
  assert done.returncode == status and said in done.stdout + done.stderr
