"""From corrected annotations to the table of a data set, and to the audit."""

import csv
import json
import sys

import numpy as np
import pytest

from mefnet_jax.datasets import registry
from mefnet_jax.datasets.annotate import __main__ as command
from mefnet_jax.datasets.annotate import choice, table
from mefnet_jax.predict import event, formats
from mefnet_jax.runs import errors
from tests.fixtures import videos

FRAMES = 60


@pytest.fixture(scope='module')
def recorded(tmp_path_factory):
  """Two videos of three faces, and who they are."""
  folder = tmp_path_factory.mktemp('data')
  grey = [np.full((48, 64), 4 * n, np.uint8) for n in range(FRAMES)]
  for name in ('a.mp4', 'b.mp4'):
    videos.write(folder / name, grey, rate=25)
  rows = 'video,subject,face\na.mp4,anna,1\na.mp4,bob,2\nb.mp4,anna,\n'
  (folder / 'people.csv').write_text(rows)
  return folder


def annotated(folder, name, some, kind='eaf', stem=''):
  """Writes (face, first, last, label) as annotations of a video."""
  media = formats.Media(folder / name, np.arange(FRAMES) / 25)
  made = [
    event.Event(
      name,
      face,
      *((n - 1) / 25 for n in (a, (a + b) // 2, b)),
      *(a, (a + b) // 2, b),
      label=label,
    )
    for face, a, b, label in some
  ]
  (path,) = formats.write(folder, stem or name[0], made, media, [kind])
  return path


def run(monkeypatch, *words):
  monkeypatch.setattr(sys, 'argv', ['annotate', *map(str, words)])
  command.main()


SOME = [(1, 5, 14, 'surprise'), (2, 8, 30, 'negative'), (1, 40, 49, '')]


def made(recorded, monkeypatch, *more, **options):
  paths = [
    annotated(recorded, 'a.mp4', SOME, **options),
    annotated(recorded, 'b.mp4', [(1, 20, 33, 'surprise')], **options),
  ]
  out = recorded / 'clips.csv'
  people = f'--people={recorded / "people.csv"}'
  words = (f'--out={out}', people, '--annotator=Eva', *more)
  run(monkeypatch, 'table', *paths, *words)
  return out


@pytest.mark.parametrize('kind', ['eaf', 'textgrid', 'boris', 'csv'])
def test_the_table_is_a_data_set(recorded, monkeypatch, capsys, kind):
  out = made(recorded, monkeypatch, '--corrected-from=m', kind=kind)
  assert 'left out: 1 events whose class is unsure' in capsys.readouterr().out
  release = registry.read('folder', recorded)
  found = {
    (row.subject, release.classes[row.label], row.onset, row.apex, row.offset)
    for row in release.rows
  }
  assert found == {
    ('anna', 'surprise', 5, 9, 14),
    ('bob', 'negative', 8, 19, 30),
    ('anna', 'surprise', 20, 26, 33),
  }
  assert {row.corrected_from for row in release.rows} == {'m'}
  with out.open() as file:
    rows = list(csv.DictReader(file))
  assert {row['annotator'] for row in rows} == {'Eva'}
  assert all(row['annotated'][:2] == '20' for row in rows)


def test_a_blind_annotator_saw_no_answers(recorded, monkeypatch):
  made(recorded, monkeypatch, '--blind', '--date=2026-11-28', kind='boris')
  rows = table.read(recorded / 'clips.csv')
  assert {(row.corrected_from, row.annotated) for row in rows} == {
    ('', '2026-11-28')
  }


def test_tiers_of_the_model_are_not_blind(recorded, monkeypatch):
  with pytest.raises(
    errors.UserError, match='a.eaf: its tiers were written by'
  ):
    made(recorded, monkeypatch, '--blind')


@pytest.mark.parametrize(
  'edit, said',
  [
    (('"a.mp4"', '"gone.mp4"'), 'its video gone.mp4 is not in'),
    (('face 1 apex', 'my tier'), "no tier is called 'my tier'"),
    (('TIME_VALUE="540"', 'TIME_VALUE="100"'), 'before it begins'),
    (('TIME_VALUE="1180"', 'TIME_VALUE="99000"'), 'outside a.mp4'),
  ],
)
def test_an_annotation_that_cannot_be_used_is_one_line(
  recorded, monkeypatch, tmp_path, edit, said
):
  path = annotated(recorded, 'a.mp4', [(1, 5, 14, 'x'), (2, 20, 30, 'y')])
  text = path.read_text().replace('./a.mp4', 'a.mp4')
  assert edit[0] in text
  path.write_text(text.replace(*edit))
  words = (f'--people={recorded / "people.csv"}', '--annotator=E', '--blind')
  words = (*words[:2], '--corrected-from=m', f'--out={recorded / "t.csv"}')
  with pytest.raises(errors.UserError, match=said) as caught:
    run(monkeypatch, 'table', path, *words)
  assert '\n' not in str(caught.value)
  assert not (recorded / 't.csv').exists()


def test_a_face_that_nobody_named_is_one_line(recorded, monkeypatch):
  path = annotated(recorded, 'a.mp4', [(7, 5, 14, 'x')])
  words = (f'--people={recorded / "people.csv"}', '--annotator=E')
  words += ('--corrected-from=m', f'--out={recorded / "t.csv"}')
  with pytest.raises(errors.UserError, match='no row for a.mp4, face 7'):
    run(monkeypatch, 'table', path, *words)


def test_annotations_of_another_frame_rate_are_one_line(recorded, monkeypatch):
  path = annotated(recorded, 'a.mp4', [(1, 5, 14, 'x')], 'boris')
  path.write_text(path.read_text().replace(',25.000,', ',50.000,'))
  words = (f'--people={recorded / "people.csv"}', '--annotator=E', '--blind')
  with pytest.raises(errors.UserError, match='50 frames per second; a.mp4 has'):
    run(monkeypatch, 'table', path, *words, f'--out={recorded / "t.csv"}')


def test_two_annotators(recorded, monkeypatch, capsys, tmp_path):
  one = annotated(recorded, 'a.mp4', [(1, 5, 14, 'x')], stem='one')
  two = annotated(recorded, 'a.mp4', [(1, 6, 19, 'x')], 'boris', stem='two')
  out = tmp_path / 'f.json'
  run(monkeypatch, 'agreement', one, two, f'--out={out}')
  found = json.loads(out.read_text())
  assert found['onset'] == {'share_within': 1.0, 'mean': 1.0}
  assert found['offset'] == {'share_within': 0.0, 'mean': 5.0}
  said = capsys.readouterr().out
  assert "Krippendorff's alpha 0.690" in said and 'in both: 1' in said
  other = annotated(recorded, 'b.mp4', [(1, 6, 19, 'x')], stem='three')
  with pytest.raises(
    errors.UserError, match='compare annotations of one video'
  ):
    run(monkeypatch, 'agreement', one, other)


def test_what_to_look_at_next_goes_round_the_people(
  recorded, monkeypatch, capsys
):
  made = [
    event.Event(
      'a.mp4',
      face,
      n,
      n,
      n + 0.2,
      1,
      1,
      1,
      confidence=c,
      probabilities={'x': p},
    )
    for n, (face, c, p) in enumerate([(1, 0.9, 0.5), (1, 0.9, 0.6), (2, 1, 1)])
  ]
  media = formats.Media(recorded / 'a.mp4', np.arange(FRAMES) / 25)
  (path,) = formats.write(recorded, 'n', made, media, ['csv'])
  run(monkeypatch, 'next', path, '--count=2', f'--people={recorded}/people.csv')
  head, first, second = capsys.readouterr().out.splitlines()
  assert first.split(',')[2:] == ['anna', '0.000', '0.200', '', '0.550']
  assert second.split(',')[2] == 'bob'


def test_the_uncertain_are_those_whose_answer_may_be_wrong():
  found = choice.uncertainty([1, 1, 0.5, 0.1, np.nan], [1, 0.5, 1, 1, 0.75])
  assert found.tolist() == pytest.approx([0, 0.5, 0.5, 0.1, 0.25])


def test_people_with_labels_come_later():
  person = ['a', 'a', 'b', 'c']
  found = choice.choose([0.9, 0.8, 0.1, 0.2], person, 4, {'a': 2, 'z': 9})
  assert found == [3, 2, 0, 1]
