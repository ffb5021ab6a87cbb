"""Faces found in a process of its own."""

import numpy as np
import pytest

from mefnet_jax.predict import face_finder
from mefnet_jax.preprocess import faces
from mefnet_jax.runs import errors


def test_it_finds_what_this_process_finds_until_it_dies(smile):
  nobody = np.full((96, 128), 90, np.uint8)
  with face_finder.started('dlib') as find:
    (one,), (other,) = find(smile[0]), faces.find_all(smile[0])
    np.testing.assert_array_equal(one.points, other.points)
    assert (one.how, one.faces) == (other.how, other.faces)
    assert find(nobody) == []
    find.process.kill()
    with pytest.raises(errors.UserError, match='the face detector died'):
      find(nobody)
  assert find.process.poll() is not None


def test_a_detector_that_is_not_there_is_one_line(smile):
  with (
    face_finder.started('eyes') as find,
    pytest.raises(errors.UserError, match='must be dlib, insightface'),
  ):
    find(smile[0])
