"""The leaderboard: what passes the audit is ranked, the rest is listed."""

import json

import pytest

from mefnet_jax.report import leaderboard
from mefnet_jax.runs import errors
from tests.fixtures import audited_runs, forked


def submission(folder, wrong):
  """A clean run in which the first `wrong` predictions are wrong."""
  audited_runs.clean(folder)

  def edit(rows):
    for i, row in enumerate(rows):
      other = {'negative': 'positive'}.get(row['label'], 'negative')
      row['predicted'] = other if i < wrong else row['label']
      for name in ('negative', 'positive', 'surprise'):
        row[f'prob_{name}'] = 0.6 if name == row['predicted'] else 0.2

  audited_runs.change(folder / 'predictions.csv', edit)


@pytest.fixture
def listed(tmp_path):
  """Three submissions, of which the best has a leak."""
  for name, wrong in (('weak', 12), ('good', 6), ('best', 0)):
    submission(tmp_path / name, wrong)
  audited_runs.change(
    tmp_path / 'best' / 'facts.json',
    lambda facts: facts | {'chosen': {'epoch': 'test'}},
  )
  rows = [
    {'table': 'LOSO', 'method': name, 'folder': name, 'note': f'<{name}>'}
    for name in ('weak', 'good', 'best')
  ]
  audited_runs.write(tmp_path / 'list.csv', rows)
  return tmp_path / 'list.csv'


def test_honest_submissions_are_ranked_and_leaks_are_named(listed):
  text = leaderboard.markdown(leaderboard.read(listed))
  lines = [line for line in text.splitlines() if line.startswith('| ')]
  ranked = [line for line in lines if line.startswith(('| 1 ', '| 2 ', '| 3 '))]
  assert [line.split(' | ')[1] for line in ranked] == ['good', 'weak']
  # Six of 24 wrong: accuracy .75; with an interval over the six subjects.
  assert '| 0.750 [' in ranked[0]
  (leaky,) = [line for line in lines if line.startswith('| best |')]
  assert leaky.endswith('| epoch chosen on held-out clips |')
  assert '24 clips of 6 subjects.' in text and '<weak>' not in text


def test_published_scores_are_claims_with_their_selection(listed):
  text = leaderboard.markdown(leaderboard.read(listed))
  claims = text.partition('## Published scores, as claims')[2]
  assert 'None was measured here.' in claims
  assert '| HTNet | 0.860 | 0.848 | yes | the epoch is chosen on the' in claims


def test_a_submission_without_folds_is_one_line(listed):
  (listed.parent / 'good' / 'folds.csv').unlink()
  with pytest.raises(errors.UserError, match='good: no folds.csv') as caught:
    leaderboard.read(listed)
  assert '\n' not in str(caught.value)


def test_all_of_a_table_predict_the_same_clips(listed):
  path = listed.parent / 'good'
  for name in ('predictions', 'folds', 'clips'):
    audited_runs.change(
      path / f'{name}.csv',
      lambda rows: [row for row in rows if row['clip'] != 's01_00'],
    )
  with pytest.raises(errors.UserError, match='good: other .* weak .*: s01_00'):
    leaderboard.read(listed)


def test_a_method_is_once_in_a_table(listed):
  audited_runs.change(listed, lambda rows: [*rows, rows[0]])
  with pytest.raises(errors.UserError, match='row 5: weak is in that table'):
    leaderboard.read(listed)


def test_the_command_fills_the_page_between_its_marks(listed, tmp_path):
  page, data = tmp_path / 'page.md', tmp_path / 'page.json'
  marks = '<!-- tables: begin -->\nof before\n<!-- tables: end -->'
  page.write_text(f'# Title\n\n{marks}\n\nBelow.\n')
  for _ in range(2):
    words = [f'--list={listed}', f'--out={page}', f'--data={data}']
    done = forked.run('mefnet_jax.report.leaderboard', words)
    assert done.returncode == 0, done.stderr
  text = page.read_text()
  assert text.startswith('# Title\n\n<!--') and text.endswith('-->\n\nBelow.\n')
  assert 'of before' not in text and text.count('## LOSO') == 1
  assert [row['method'] for row in json.loads(data.read_text())] == [
    'weak',
    'good',
    'best',
  ]
  page.write_text('no marks')
  with pytest.raises(errors.UserError, match='page.md: no lines'):
    leaderboard.write(page, '')
