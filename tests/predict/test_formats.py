"""Annotation formats: what is written is read back, within one frame."""

import math
import pathlib
import re

import numpy as np
import pytest

from mefnet_jax.predict import event, formats
from mefnet_jax.predict.formats import csv_files, eaf
from mefnet_jax.runs import errors
from tests.fixtures import irregular

ODD = [
  'surprise',
  '=cmd()',
  'a "b" <c> & d',
  'Überraschung 惊讶 🙂',
  'x\ty\nz\r\x0b\u2028\x85',
  'end\x00\x1b[31m\ufffe',
  '-3',
  "'quoted'",
]
TIMED = ['eaf', 'textgrid', 'boris', 'vtt']  # read back by their times


def shown(rate, count, random):
  """Frame times of a video; uneven ones, with gaps, for a rate of None."""
  if rate:
    return np.arange(count) / rate
  steps = random.choice([1 / 60, 1 / 30, 1 / 24, 1 / 15, 0.4], count - 1)
  return np.concatenate([[0], np.cumsum(steps * random.uniform(0.9, 1.1))])


def random_events(media, random, labels=('a', 'b')):
  """Up to nine events of three faces; those of one face never overlap."""
  found = []
  for face in range(1, 4):
    ends = np.sort(random.choice(np.arange(1, len(media.times) + 1), 6))
    for first, last in ends.reshape(3, 2):
      if found and found[-1].face == face and first <= found[-1].offset_frame:
        continue
      numbers = [
        int(n) for n in (first, random.integers(first, last + 1), last)
      ]
      times = [float(media.times[n - 1]) for n in numbers]
      label = str(random.choice(list(labels)))
      found.append(
        event.Event(
          media.name,
          face,
          *times,
          *numbers,
          label=label,
          confidence=0.75,
          probabilities={label: 0.5, 'other': 0.25},
          units={'AU01': event.Unit(0.75, 0.02, 0.0)},
        )
      )
  return found


@pytest.mark.parametrize('name', TIMED)
@pytest.mark.parametrize('rate', [15, 23.976, 25, 29.97, 60, 100, 200, None])
def test_what_is_written_is_read_back(name, rate, tmp_path):
  random = np.random.default_rng(7)
  for number in range(4):
    media = formats.Media(tmp_path / 'a.mp4', shown(rate, 400, random))
    some = random_events(media, random)
    (path,) = formats.write(tmp_path, f'a{number}', some, media, [name])
    assert formats.reader(path) is formats.FORMATS[name]
    back = formats.to_events(formats.FORMATS[name].read(path), media, str(path))
    some.sort(key=lambda one: (one.face, one.onset))
    assert len(back) == len(some)
    for one, again in zip(some, back, strict=True):
      for mark in ('onset_frame', 'offset_frame'):
        assert getattr(again, mark) == getattr(one, mark)
      assert (again.face, again.label) == (one.face, one.label)
      assert again.file == 'a.mp4'
      if name != 'vtt':  # a subtitle has no apex
        assert again.apex_frame == one.apex_frame


@pytest.mark.parametrize('name', TIMED)
def test_labels_with_odd_characters_are_clean_and_come_back(name, tmp_path):
  media = formats.Media(tmp_path / 'a.mp4', np.arange(200) / 25)
  some = [
    event.Event(
      'a.mp4', 1, *(n / 25 for n in at), *(n + 1 for n in at), label=x
    )
    for n, x in enumerate(ODD)
    for at in [(20 * n, 20 * n + 5, 20 * n + 10)]
  ]
  (path,) = formats.write(tmp_path, 'a', some, media, [name])
  content = path.read_bytes().decode()
  assert not re.search('[\x00\x0b\x1b\x85\u2028\ufffe]', content)
  labels = [one.label for one in formats.FORMATS[name].read(path)]
  for given, found in zip(ODD, labels, strict=True):
    plain = all(c.isprintable() for c in given)
    assert found == given if plain else '\\' in found


@pytest.mark.parametrize('cell', ['=cmd()', '+1+1', '@x'])
@pytest.mark.parametrize('name', ['csv', 'boris', 'megc'])
def test_no_cell_is_a_formula(name, cell, tmp_path):
  media = formats.Media(tmp_path / f'{cell}.mp4', np.arange(20) / 25)
  one = event.Event(f'{cell}.mp4', 1, 0.0, 0.0, 0.2, 1, 1, 6, label=cell)
  (path,) = formats.write(tmp_path, 'a', [one], media, [name])
  for line in path.read_text().splitlines():
    assert not any(c[:1] in '=+@' and c for c in line.split(','))


def test_events_of_one_face_that_overlap_get_tiers_of_their_own(tmp_path):
  media = formats.Media(tmp_path / 'a.mp4', np.arange(50) / 25)
  some = [
    event.Event('a.mp4', 1, a / 25, a / 25, b / 25, a + 1, a + 1, b + 1)
    for a, b in ((0, 10), (5, 20), (8, 9), (11, 12))
  ]
  for name in ('eaf', 'textgrid'):
    (path,) = formats.write(tmp_path, 'a', some, media, [name])
    found = formats.FORMATS[name].read(path)
    assert [round(25 * one.onset) for one in found] == [0, 5, 8, 11]


def test_elan_names_the_video_by_its_relative_path_alone(tmp_path):
  media = formats.Media(tmp_path / 'videos' / 'ü b.mp4', np.arange(50) / 25)
  one = event.Event('ü b.mp4', 1, 0.0, 0.2, 0.4, 1, 6, 11, label='x')
  (path,) = formats.write(tmp_path / 'out', 'b', [one], media, ['eaf'])
  content = path.read_text()
  assert 'RELATIVE_MEDIA_URL="./../videos/ü b.mp4"' in content
  assert str(tmp_path) not in content
  assert eaf.read(path)[0].file == 'ü b.mp4'
  assert eaf.read(path)[0].annotator == 'mefnet_jax'


def test_elan_tiers_depend_on_the_events(tmp_path):
  import pympi

  media = formats.Media(tmp_path / 'a.mp4', np.arange(50) / 25)
  one = random_events(media, np.random.default_rng(0))[0]
  (path,) = formats.write(tmp_path, 'a', [one], media, ['eaf'])
  found = pympi.Elan.Eaf(str(path))
  tiers = [f'face 1 {x}' for x in ('apex', 'action units', 'confidence')]
  assert found.get_child_tiers_for('face 1 events') == tiers
  (unit,) = found.get_ref_annotation_data_for_tier('face 1 action units')
  (said,) = found.get_ref_annotation_data_for_tier('face 1 confidence')
  assert unit[2] == 'AU01 0.75'
  assert said[2] == f'expression 0.75, {one.label} 0.50, other 0.25'


def test_without_events_each_file_is_whole(tmp_path):
  media = formats.Media(tmp_path / 'a.mp4', np.arange(50) / 25)
  for path in formats.write(tmp_path, 'a', [], media):
    module = formats.FORMATS[
      {m.SUFFIX: n for n, m in formats.FORMATS.items()}[
        path.name.removeprefix('a')
      ]
    ]
    extra = (media,) if module is formats.FORMATS['megc'] else ()
    assert module.read(path, *extra) == []


def test_megc_counts_frames_and_knows_two_types(tmp_path):
  media = formats.Media(tmp_path / '006_1.mp4', np.arange(400) / 200)
  some = [
    event.Event('006_1.mp4', 1, 0.0, 0.1, 0.5, 1, 21, 101),
    event.Event('006_1.mp4', 1, 1.0, 1.1, 1.505, 201, 221, 302),
  ]
  (path,) = formats.write(tmp_path, 'a', some, media, ['megc'])
  assert path.read_text().splitlines() == [
    'vid,pred_onset,pred_offset,type',
    '006_1,1,101,me',
    '006_1,201,302,mae',
  ]
  found = formats.FORMATS['megc'].read(path, media)
  assert [(one.onset, one.offset) for one in found] == [(0, 0.5), (1, 1.505)]


def test_events_csv_keeps_all_that_is_known(tmp_path):
  random = np.random.default_rng(3)
  media = formats.Media(tmp_path / 'a.mp4', np.arange(50) / 29.97)
  some = random_events(media, random)
  (path,) = formats.write(tmp_path, 'a', some, media, ['csv'])
  for one, again in zip(some, csv_files.read_events(path), strict=True):
    assert again.onset == pytest.approx(one.onset, abs=1e-6)
    assert again.probabilities == pytest.approx(one.probabilities, abs=1e-4)
    assert again.units == one.units and math.isnan(again.spread)
    assert (again.kind, again.label, again.unsure) == (
      one.kind,
      one.label,
      one.unsure,
    )


def test_frames_csv_grows_row_by_row_and_appears_when_it_is_whole(tmp_path):
  path = tmp_path / 'a.frames.csv'
  with csv_files.frame_rows(path, [1]) as add:
    add(
      {'frame': 1, 'timestamp': 0.0, 'success': 1, 'AU01_c': 0.5, 'note': '='}
    )
    add({'frame': 2, 'timestamp': 1 / 3, 'success': 0, 'motion': math.nan})
    assert not path.exists()
  head, first, second = path.read_text().splitlines()
  assert head == ','.join(event.frame_columns([1]))
  assert first == "1,,0.000000,,1,,,,,,,,'=,0.5000,"
  assert second == '2,,0.333333,,0,,,,,,,,,,'


def test_frames_csv_that_fails_leaves_nothing(tmp_path):
  with pytest.raises(RuntimeError):
    with csv_files.frame_rows(tmp_path / 'a.frames.csv', []) as add:
      add({'frame': 1})
      raise RuntimeError
  assert not list(tmp_path.iterdir())


def test_a_frame_is_shown_until_the_next():
  media = formats.Media('a.mp4', [0, 0.04, 0.08, 0.2])
  asked = (-1, 0, 0.038, 0.0395, 0.04, 0.07, 0.19, 0.2, 9)
  assert [media.frame_at(t) for t in asked] == [1, 1, 1, 2, 2, 2, 3, 4, 4]
  assert (media.step, media.fps) == (0.04, 25)
  assert media.duration == pytest.approx(0.24)
  assert media.end(0.08) == pytest.approx(0.1) and media.end(0.2) == 0.22


@pytest.mark.parametrize(
  'annotations, said',
  [
    ([(0.5, 0.4, 'a')], 'at 0.500 s ends at 0.400 s, before it begins'),
    ([(1.5, 2.5, 'a')], 'outside a.mp4, which lasts 2.000 s'),
    ([(-0.5, 0.5, 'a')], 'outside a.mp4'),
    ([(0.1, 0.5, 'a'), (0.4, 0.8, 'b')], 'at 0.400 s begins before the one'),
    ([(0.1, 0.5, 'a', 0.7)], 'has its apex at 0.700 s, outside'),
    (
      [(0.1, 0.5, 'a', None, 1, '', '', 50.0)],
      'is of a video with 50 frames per second; a.mp4 has 25',
    ),
  ],
)
def test_annotations_that_cannot_be_are_told(annotations, said):
  media = formats.Media('a.mp4', np.arange(50) / 25)
  some = [formats.Annotation(*one) for one in annotations]
  with pytest.raises(errors.UserError, match=f'^f.eaf: face 1: .*{said}'):
    formats.to_events(some, media, 'f.eaf')


def _rewritten(tmp_path, name, old, new):
  media = formats.Media(tmp_path / 'a.mp4', np.arange(50) / 25)
  one = event.Event('a.mp4', 1, 0.0, 0.2, 0.4, 1, 6, 11, label='x')
  (path,) = formats.write(tmp_path, 'a', [one], media, [name])
  content = path.read_text()
  assert old in content
  path.write_text(content.replace(old, new))
  return path


@pytest.mark.parametrize(
  'name, old, new, said',
  [
    ('eaf', 'face 1 apex', 'peak', "no tier is called 'peak'"),
    ('eaf', '</TIER>', '', 'not a file of ELAN'),
    ('eaf', 'TIME_VALUE="0"', '', 'has no time'),
    ('textgrid', 'face 1 apex', 'peak', "no tier is called 'peak'"),
    ('textgrid', 'xmin = 0.000000', 'xmin = x', 'not a TextGrid of Praat'),
    (
      'boris',
      'Stop (s)',
      'Stop',
      "no column 'Stop \\(s\\)': export aggregated",
    ),
    ('boris', 'face 1', 'Anna', "row 2: subject 'Anna' is no face"),
    ('boris', 'STATE,0.000', 'STATE,soon', "row 2: Start \\(s\\) is 'soon'"),
    ('boris', 'x,micro,STATE', 'x,micro,POINT', "row 2: 'x' is a point event"),
    ('vtt', 'WEBVTT', 'SUBTITLES', 'not a WebVTT file'),
    ('vtt', '.', ',', 'cues cannot be read'),
    ('vtt', 'face 1: ', '', 'is not of the form face 1: surprise'),
  ],
)
def test_a_file_that_is_not_ours_is_one_line(name, old, new, said, tmp_path):
  path = _rewritten(tmp_path, name, old, new)
  with pytest.raises(errors.UserError, match=f'a.*: .*{said}') as caught:
    formats.FORMATS[name].read(path)
  assert '\n' not in str(caught.value)


def test_the_format_of_an_unknown_suffix_is_asked_for():
  with pytest.raises(errors.UserError, match='annotations are .eaf'):
    formats.reader(pathlib.Path('a.docx'))


@pytest.mark.parametrize('kind', irregular.KINDS)
@pytest.mark.parametrize('name', ['eaf', 'textgrid', 'vtt', 'boris', 'csv'])
def test_what_is_no_file_of_annotations_is_one_line(name, kind, tmp_path):
  path = tmp_path / f'a{formats.FORMATS[name].SUFFIX}'
  irregular.make(kind, path)
  said = 'Is a directory' if kind == 'folder' else 'not a regular file'
  with irregular.no_waiting(), pytest.raises(errors.UserError, match=said):
    formats.reader(path).read(path)
  with irregular.no_waiting(), pytest.raises(errors.UserError, match=said):
    formats.FORMATS[name].read(path)
