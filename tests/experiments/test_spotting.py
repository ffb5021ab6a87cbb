"""Spotting in rendered videos: their truth, and whose flow is whose."""

import types

import numpy as np

from experiments import spotting


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
