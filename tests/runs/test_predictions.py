"""A predictions.csv that cannot be is named, clip by clip, in one line."""

import numpy as np
import pytest

from mefnet_jax.audit import evidence
from mefnet_jax.runs import errors, predictions
from tests.fixtures import audited_runs, forked


@pytest.fixture
def run(tmp_path):
  return audited_runs.clean(tmp_path / 'run')


def test_what_was_written_is_read(run):
  made = predictions.read(run)
  rows = audited_runs.read(run / 'predictions.csv')
  assert list(made.clip) == [row['clip'] for row in rows]
  assert [made.classes[c] for c in made.label] == [r['label'] for r in rows]
  np.testing.assert_allclose(made.probabilities.sum(1), 1)
  assert (made.probabilities.argmax(1) == made.predicted).all()


def _set(**values):
  def edit(rows):
    rows[3].update(values)

  return edit


BAD = {
  'missing': (lambda rows: rows[1:], 'missing clip'),
  'unknown': (_set(clip='stranger'), 'missing clip'),
  'added': (lambda r: [*r, r[0] | {'clip': 'stranger'}], 'unknown clip: str'),
  'doubled': (lambda r: [*r, r[0]], 'doubled clip: s'),
  'unnamed': (_set(clip=''), 'row 5 has no clip'),
  'nobody': (_set(subject=' '), 'row 5 has no subject'),
  'sum': (_set(prob_negative='0.9'), 'do not sum to 1'),
  'negative': (_set(prob_negative='-0.5'), 'not numbers from 0 to 1'),
  'nan': (_set(prob_negative='nan'), 'not numbers from 0 to 1'),
  'word': (_set(prob_negative='high'), 'not numbers from 0 to 1'),
  'no label': (_set(predicted='nan'), 'predicted that is a missing value'),
  'label': (_set(label='anger'), 'label that is none of'),
  'predicted': (_set(predicted='anger'), 'predicted that is none of'),
}


@pytest.mark.parametrize('kind', BAD)
def test_bad_rows_are_named(run, kind):
  edit, words = BAD[kind]
  audited_runs.change(run / 'predictions.csv', edit)
  with pytest.raises(errors.UserError, match=words) as said:
    evidence.from_run(run)
  assert str(run / 'predictions.csv') in str(said.value)


@pytest.mark.parametrize(
  ('content', 'words'),
  [
    (b'', 'an empty file'),
    (b'clip,subject\na,b\n', 'no column fold, label, predicted'),
    (b'clip,subject,fold,label,predicted\n', 'no rows'),
    (b'clip,subject,fold,label,predicted\na,b\n', 'row 2 has not 5 cells'),
    (b'\xff\xfe\x00', 'cannot be read'),
    (b'clip,clip,subject,fold,label,predicted\n', 'doubled column clip'),
  ],
)
def test_files_that_are_none_are_refused(tmp_path, content, words):
  path = tmp_path / 'predictions.csv'
  path.write_bytes(content)
  with pytest.raises(errors.UserError, match=words):
    predictions.read(path)


@pytest.mark.parametrize('module', ['audit', 'report'])
def test_commands_leave_with_status_one(run, module):
  audited_runs.change(run / 'predictions.csv', BAD['sum'][0])
  words = [run] if module == 'audit' else ['compare', run, run]
  done = forked.run(f'mefnet_jax.{module}', words)
  assert done.returncode == 1
  (line,) = done.stderr.splitlines()
  assert line.startswith('error: ') and 'do not sum to 1' in line


def test_probabilities_may_be_absent(run):
  drop = ('prob_negative', 'prob_positive', 'prob_surprise')
  audited_runs.change(
    run / 'predictions.csv',
    lambda rows: [
      {k: v for k, v in row.items() if k not in drop} for row in rows
    ],
  )
  made = predictions.read(run)
  assert made.probabilities is None and len(made.classes) == 3


def test_columns_may_have_other_usual_names(tmp_path):
  rows = 'a,p,f,1,1\nb,q,g,0,1\n'
  path = tmp_path / 'predictions.csv'
  path.write_text(f'Video_ID,Participant,fold,y_true,y_pred\n{rows}')
  with pytest.raises(errors.UserError, match='no column clip'):
    predictions.read(path)
  path.write_text(f'video,Participant,fold,y_true,y_pred\n{rows}')
  found = predictions.read(path)
  assert found.clip == ('a', 'b') and found.subject == ('p', 'q')
  assert found.label.tolist() == [1, 0] and found.predicted.tolist() == [1, 1]
  path.write_text('clip,subject,fold,y_true,target,y_pred\na,p,f,1,0,1\n')
  with pytest.raises(errors.UserError, match='y_true and target may both be'):
    predictions.read(path)
