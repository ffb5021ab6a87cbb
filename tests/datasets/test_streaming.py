"""Batches from the disk are those from memory, to the byte."""

import numpy as np
import pytest

from mefnet_jax import datasets
from mefnet_jax.datasets import streaming
from mefnet_jax.training import sampler
from tests.fixtures import prepared

cached, first_load = prepared.cached, prepared.first_load  # fixtures


@pytest.fixture
def streamed(cached, tiny_smic):
  return datasets.load(prepared.config(tiny_smic), memory=0)


def test_streamed_batches_are_the_resident_ones(first_load, streamed):
  resident = first_load[1]
  assert streamed.clip == resident.clip
  for epoch in (1, 2):
    index_SB = sampler.shared_order(9, 4, 1, seed=3, epoch=epoch)['index']
    both = [
      list(streaming.batches(loaded.streams, loaded.label, index_SB))
      for loaded in (resident, streamed)
    ]
    assert len(both[0]) == len(both[1]) == len(index_SB)
    for one, other in zip(*both, strict=True):
      assert set(one) == set(other) == {'face', 'eyes', 'mouth', 'label'}
      for name in one:
        np.testing.assert_array_equal(one[name], other[name])
        assert one[name].dtype == other[name].dtype


def test_a_stream_looks_like_an_array(first_load, streamed):
  eyes = first_load[1].streams['eyes']
  stream = streamed.streams['eyes']
  assert (stream.shape, stream.dtype, stream.nbytes) == (
    *(eyes.shape, eyes.dtype, eyes.nbytes),
  )
  assert len(stream) == len(eyes)
  np.testing.assert_array_equal(stream[4], eyes[4])
  np.testing.assert_array_equal(stream[[5, 0, 5]], eyes[[5, 0, 5]])
  assert stream[[]].shape == eyes[[]].shape


def test_size_decides(cached, tiny_smic, streamed):
  need = sum(s.nbytes for s in streamed.streams.values())
  for memory, kind in ((need, np.ndarray), (need - 1, streaming.Stream)):
    loaded = datasets.load(prepared.config(tiny_smic), memory=memory)
    assert {type(s) for s in loaded.streams.values()} == {kind}


def test_streams_and_arrays_go_together(first_load, streamed):
  streams = {
    'eyes': streamed.streams['eyes'],
    'mouth': first_load[1].streams['mouth'],
  }
  index_SB = np.array([[1, 2], [8, 8]])
  got = list(streaming.batches(streams, streamed.label, index_SB))
  for batch, index_B in zip(got, index_SB, strict=True):
    for name in streams:
      wanted = first_load[1].streams[name][index_B]
      np.testing.assert_array_equal(batch[name], wanted)


def test_only_the_streams_that_are_asked_for_are_read(streamed):
  (batch,) = streaming.batches(
    {'eyes': streamed.streams['eyes']}, streamed.label, [[1, 2]]
  )
  assert set(batch) == {'eyes', 'label'}
  assert batch['label'].tolist() == streamed.label[[1, 2]].tolist()


def test_records_that_are_other_clips_are_noticed(streamed):
  source = streamed.streams['face'].source
  source._places[0], source._places[1] = source._places[1], source._places[0]
  with pytest.raises(ValueError, match='not s01'):
    streamed.streams['face'][0]
