"""A model.json of anybody: each key of another type is one line."""

import copy
import json

import pytest

from mefnet_jax.predict import trained_model
from mefnet_jax.runs import errors, model_file

ODD = (None, 5, -1, 0, 'x', [], {}, [1], {'a': 1}, True, 1e400, 10**400)
# What later code relies on, and which of ODD it can be.
NAN = float('nan')
KEYS = {
  ('classes',): (),
  ('input',): (),
  ('input', 'streams'): (),
  ('input', 'streams', 'face'): (),
  ('input', 'streams', 'face', 'stored'): ('x',),
  ('input', 'streams', 'face', 'dtype'): ('x',),
  ('input', 'streams', 'face', 'shape'): ([1],),
  ('network',): (),  # it has to have the action units of the calibration
  ('frames',): (5,),
  ('fps',): (None, 5),
  ('synthetic',): (True,),
  ('preprocessing',): ({}, {'a': 1}),
  ('scores',): ({}, {'a': 1}),
  ('notices',): ({}, {'a': 1}),
  ('normalisation',): (),
  ('normalisation', 'moments'): ({},),
  ('members', 0): (),
  ('members', 0, 'fold'): ('x',),
  ('members', 0, 'file'): (),
  ('members', 0, 'sha256'): ('x',),
  ('members', 0, 'seed'): (5, 0),
  ('calibration',): (None, {}),
  ('calibration', 'temperature'): (5,),
  ('calibration', 'threshold'): (5, -1, 0),
  ('calibration', 'units'): (),
  ('calibration', 'units', 'odds'): (),
  ('calibration', 'units', 'level', 3): (5,),
  ('calibration', 'units', 'side', 18): (5,),
}


@pytest.fixture(scope='module')
def described():
  return json.loads(
    (trained_model.SHIPPED / 'mefnet-zero/model.json').read_text()
  )


@pytest.mark.parametrize('key', KEYS, ids=lambda key: '.'.join(map(str, key)))
def test_each_key_is_what_it_should_be_or_one_line(tmp_path, described, key):
  for odd in (*ODD, NAN):
    content = copy.deepcopy(described)
    place = content
    for name in key[:-1]:
      place = place[name]
    place[key[-1]] = odd
    (tmp_path / 'model.json').write_text(json.dumps(content))
    may_be = any(odd == x and type(odd) is type(x) for x in KEYS[key])
    try:
      model_file.read_description(tmp_path)
    except errors.UserError as error:
      assert not may_be, (odd, error)
      assert str(tmp_path) in str(error) and '\n' not in str(error)
    else:
      assert may_be, odd


def test_a_shape_that_its_network_cannot_look_at_is_one_line(
  tmp_path, described
):
  content = copy.deepcopy(described)
  content['input']['streams']['face']['shape'] = [1]
  (tmp_path / 'model.json').write_text(json.dumps(content))
  with pytest.raises(errors.UserError, match='model.json'):
    trained_model.load(tmp_path)
