"""The command that scores spotting."""

import json
import sys

import pytest

from mefnet_jax.predict import event, score
from mefnet_jax.predict.formats import csv_files
from tests.fixtures import forked

TRUTH = """subject,video,onset,offset,emotion
1,EP02_01f,45,85,happiness
1,EP03_02,130,160,others
2,EP01_11f,45,95,repression
3,EP05_01,10,30,others
"""
EVENTS = """subject,video,onset,offset,emotion
1,EP02_01f,50,90,happiness
1,EP03_02,131,162,happiness
1,EP03_02,500,540,happiness
2,EP09,20,90,repression
"""


@pytest.fixture
def tables(tmp_path):
  (tmp_path / 't.csv').write_text(TRUTH)
  (tmp_path / 'e.csv').write_text(EVENTS)
  return tmp_path


def run(monkeypatch, *arguments):
  monkeypatch.setattr(sys, 'argv', ['score', *arguments])
  return score.main()


def test_scores_are_printed_and_written(tables, monkeypatch, capsys):
  """Two of four truths are found, by two of four events.

  Of them happiness is right and others is called happiness: recalls 1, 0 and,
  of repression, which was not spotted, 0.
  """
  out = tables / 'scores.json'
  paths = (f'--truth={tables / "t.csv"}', f'--events={tables / "e.csv"}')
  assert run(monkeypatch, *paths, '--fps=100', f'--out={out}') == 0
  found = json.loads(out.read_text())
  assert found['spotting']['both'] == {
    'truths': 4,
    'events': 4,
    'tp': 2,
    'fp': 2,
    'fn': 2,
    'precision': 0.5,
    'recall': 0.5,
    'f1': 0.5,
  }
  assert found['recognition']['uar'] == pytest.approx(1 / 3)
  # Macro precision 1/6, macro recall 1/3: their harmonic mean is 2/9.
  assert found['strs'] == pytest.approx(0.5 * 2 / 9)
  said = capsys.readouterr().out
  assert 'recognition of 2 spotted: UAR 0.333' in said
  assert 'IoU of at least .5 in frames; 95 % intervals over 3 subjects' in said
  assert 'columns of truth: video: video, subject: subject' in said


def test_our_own_table_of_events_is_read(tables, monkeypatch, capsys):
  one = event.Event(
    'videos/EP02_01f.mp4', 1, 0.49, 0.6, 0.89, 50, 61, 90, label='happiness'
  )
  csv_files.write(tables / 'own.csv', [one])
  paths = (f'--truth={tables / "t.csv"}', f'--events={tables / "own.csv"}')
  run(monkeypatch, *paths)
  assert ' 4      1    1     0     3' in capsys.readouterr().out


def test_names_that_never_meet_are_noted(tables, monkeypatch, capsys):
  (tables / 'o.csv').write_text('subject,video,onset,offset\ns9,x,1,2\n')
  paths = (f'--truth={tables / "t.csv"}', f'--events={tables / "o.csv"}')
  run(monkeypatch, *paths)
  assert 'note: no event is in a video of the truth' in capsys.readouterr().out


@pytest.mark.parametrize(
  'arguments, said',
  [
    (
      ['--truth=no.csv', '--events=no.csv'],
      'no.csv: cannot be read (No such file',
    ),
    (['--truth=no.csv'], 'the following arguments are required: --events'),
  ],
)
def test_a_mistake_is_one_line(arguments, said, tmp_path):
  done = forked.run('mefnet_jax.predict.score', arguments, cwd=tmp_path)
  assert done.returncode == 1 and done.stdout == ''
  assert said in done.stderr and done.stderr.count('\n') == 1
