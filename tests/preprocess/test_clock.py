"""Times of a video run forward, even if those in its file do not."""

import pytest

from mefnet_jax.predict import decoder
from mefnet_jax.preprocess import clock, video
from tests.fixtures import videos

UNEVEN = [40 * i if i < 10 else 400 + 80 * (i - 10) for i in range(20)]
EVEN = [40 * i for i in range(20)]


@pytest.mark.parametrize(
  ('times', 'wanted'),
  [
    ([0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6]),
    ([0, 1, 9, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6]),
    ([0, 1, 1, 3, 4, 5, 9], [0, 1, 2, 3, 4, 5, 9]),
    ([0, 1, 2, 3, 4, 5, 5], [0, 1, 2, 3, 4, 5, 6]),
    ([7, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6]),
    ([0, None, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6]),
  ],
)
def test_one_wrong_time_costs_no_other(times, wanted):
  found, wrong = clock.forward(range(1, 8), times)
  assert found == pytest.approx(wanted)
  assert wrong == (times != wanted)


@pytest.mark.parametrize('times', [[0, 1, 2, 0, 1, 2], [None] * 6, [3], []])
def test_times_of_which_many_are_wrong_are_none(times):
  assert clock.forward(range(len(times)), times) is None


def seen(path):
  """The times that prediction takes, and what it notes."""
  times, notes = [], []

  def send(kind, number=0, time=0.0, *, image=None, text=None):
    if kind == decoder.FRAME:
      times.append(time)
    elif kind == decoder.END:
      notes.extend(text['notes'])

  decoder.run(str(path), None, send)
  return times, notes


@pytest.mark.parametrize('times', [EVEN, UNEVEN], ids=['even', 'uneven'])
@pytest.mark.parametrize('between', ['0', '2'])
@pytest.mark.parametrize('codec', ['libx264', 'mpeg4'])
def test_an_avi_has_the_pace_of_its_places(tmp_path, codec, between, times):
  """AVI has no times; frames that others lean on are stored before those."""
  shades, options = videos.shades(20), {'bf': between}
  path = tmp_path / 'a.avi'
  videos.write(path, shades, codec, times=times, options=options)
  found = video.scan(path).times
  # A pace that changes does so up to two frames later.
  late = 0.08 if between != '0' and times is UNEVEN else 0
  assert found == pytest.approx([t / 1000 for t in times], abs=late + 1e-9)
  uneven = 'variable frame rate' in ' '.join(video.scan(path).notes)
  assert uneven == (times is UNEVEN)
  assert seen(path) == (pytest.approx(found), [])


def test_a_file_behind_another_begins_its_clock_anew(tmp_path):
  one = videos.write(tmp_path / 'a.mpg', videos.shades(20), 'mpeg2video')
  both = tmp_path / 'both.mpg'
  both.write_bytes(2 * one.read_bytes())
  scan = video.scan(both)
  assert len(scan.times) == 40
  assert scan.notes == (
    'its times do not run forward: its frames are taken as even',
  )
  times, notes = seen(both)
  assert times == pytest.approx([n / 25 for n in range(40)])
  assert notes == ['the times of 1 of 40 frames do not run forward']


def test_what_comes_before_the_first_file_in_time_is_shown(tmp_path):
  """Of two files the second may have the earlier clock."""
  late = videos.write(
    tmp_path / 'late.ts', videos.shades(9), times=[n + 2000 for n in EVEN[:9]]
  )
  early = videos.write(tmp_path / 'early.ts', videos.shades(9))
  both = tmp_path / 'both.ts'
  both.write_bytes(late.read_bytes() + early.read_bytes())
  assert videos.numbers_shown(both) == 2 * list(range(9))


def test_a_late_beginning_is_no_early_end(tmp_path):
  """Matroska counts its length from time 0, not from the first frame."""
  path = videos.write(
    tmp_path / 'a.mkv', videos.shades(20), times=[t + 2000 for t in EVEN]
  )
  assert video.scan(path).notes == ()
