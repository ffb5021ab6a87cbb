"""Names of files, and what can be done where one cannot be written."""

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mefnet_jax.runs import files

IDS = st.lists(st.text(max_size=300), unique=True, max_size=8)


@settings(max_examples=200, deadline=None)
@given(IDS)
def test_each_id_has_a_flat_name_of_its_own(ids):
  names = files.flat_names(ids)
  assert list(names) == ids
  assert len({name.casefold() for name in names.values()}) == len(ids)
  for name in names.values():
    assert name and not set('/\\\0.\n ') & set(name)
    assert len(f'{name}.png'.encode()) <= 255


def test_a_plain_id_is_its_own_name():
  ids = ['s01_ne_01', 'anger/s1/001', 'a/b', 'a_b']
  named = list(files.flat_names(ids).values())
  assert named[:3] == ['s01_ne_01', 'anger_s1_001', 'a_b']
  assert named[3].startswith('a_b-')


@pytest.mark.parametrize(
  ('number', 'said'),
  [
    (errno.ENOSPC, 'free some space'),
    (errno.EDQUOT, 'free some space'),
    (errno.ENAMETOOLONG, 'shorter name'),
    (errno.EACCES, 'another'),
    (errno.EEXIST, 'stands where a folder should be'),
    (errno.ENOTDIR, 'stands where a folder should be'),
  ],
)
def test_the_mend_fits_the_error(tmp_path, number, said):
  (tmp_path / 'file').write_text('x')
  error = OSError(number, 'as the system says')
  assert said in files.mend(error, tmp_path / 'file' / 'below', 'another')
