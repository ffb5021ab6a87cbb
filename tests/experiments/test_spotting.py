"""Spotting in rendered videos: their truth, and whose flow is whose."""

import types

import av
import numpy as np

from experiments import photograph, spotting


def test_the_truth_of_a_video_is_its_expressions_in_seconds():
  shots = (
    types.SimpleNamespace(numbers=tuple(range(31, 62)), emotion='positive'),
    types.SimpleNamespace(numbers=tuple(range(91, 107)), emotion='negative'),
  )
  film = types.SimpleNamespace(shots=shots)
  assert spotting._truth(film) == [
    (1.0, 2.0, 'positive'),
    (3.0, 3.5, 'negative'),
  ]


def test_people_who_chose_are_not_scored():
  assert not set(spotting.CHOOSING) & set(spotting.REPORTING)


def test_a_flow_is_that_of_its_crops_even_where_others_have_been(monkeypatch):
  """A video that is gone leaves its place in memory to the next one."""
  monkeypatch.setattr(
    spotting.motion_map, 'between', lambda one, other: one + other
  )
  for k in range(50):
    video = np.full((2, 112, 112), k, np.float32)
    assert spotting._flow(video[0], video[1])[0, 0] == 2 * k
    assert spotting._flow(video[0], video[1])[0, 0] == 2 * k


def test_a_photograph_is_moved_alike_for_one_seed(tmp_path):
  one, again, other = (
    np.stack([*photograph.frames(seed, 6, 10)]).astype(float)
    for seed in (1, 1, 2)
  )
  assert (one == again).all()
  assert np.abs(one - other).mean() > 1
  # It moves by more than the noise of a camera, and stays the same picture.
  assert np.abs(one[0] - one[-1]).mean() > 3
  assert np.corrcoef(one[0].ravel(), one[-1].ravel())[0, 1] > 0.5
  photograph.write(tmp_path / 'a.mp4', seed=1, fps=10, seconds=0.6)
  with av.open(str(tmp_path / 'a.mp4')) as container:
    shown = [f.to_ndarray(format='gray') for f in container.decode(video=0)]
  assert len(shown) == 6
  assert np.abs(np.stack(shown) - one).mean() < 3
