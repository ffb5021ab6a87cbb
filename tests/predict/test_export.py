"""An exported network is one file that gives the model's own answers."""

import functools
import hashlib
import json
import pathlib
import shutil

import numpy as np
import onnx
import onnxruntime
import pytest
from safetensors import safe_open

import configs
import mefnet_jax
from configs import (
  base_cnn,
  flow_peers,
  mecnn,
  mefnet_flow,
  mefnet_zero,
  mfcnn,
  mfcnn_multimodal,
  paper,
  residual,
)
from mefnet_jax.predict.export import (
  agreement,
  model_function,
  onnx_file,
  packed_file,
  stablehlo_file,
  translate,
  write,
)
from mefnet_jax.runs import errors
from tests.fixtures import forked, irregular, untrained

# Of what is tested beside the layers themselves: it compiles sooner.
PLAIN = {'channel_attention': False, 'spatial_attention': False}
CONFIGS = {
  'base_cnn': base_cnn.get_config,
  'mecnn': mecnn.get_config,
  'mfcnn': mfcnn.get_config,
  'mfcnn:intermediate': lambda: mfcnn.get_config('intermediate'),
  'residual': residual.get_config,
  'mefnet_flow': mefnet_flow.get_config,
  'mefnet_flow:mfcnn': lambda: mefnet_flow.get_config('mfcnn'),
  'mfcnn_multimodal': mfcnn_multimodal.get_config,
  'mefnet_zero': mefnet_zero.get_config,
  **{
    f'mefnet_zero:{name}': functools.partial(mefnet_zero.get_config, name)
    for name in ('mefnet', 'residual', 'late', 'intermediate')
  },
  'paper': paper.get_config,
  'flow_peers': flow_peers.get_config,
  'flow_peers:off_apexnet_like': functools.partial(
    flow_peers.get_config, 'off_apexnet_like'
  ),
}


@pytest.fixture(scope='module')
def small(tmp_path_factory):
  """The model of a config, small and untrained; not to be changed.

  Tests that ask for the same get the same, which is traced once.
  """
  models = {}

  def made(name='mecnn', **options):
    folder = tmp_path_factory.mktemp('small') / 'model'
    if 'pixels' in options or 'moments' in options:
      return mefnet_jax.load(
        untrained.write(folder, CONFIGS[name](), **options)
      )
    which = (name, *sorted(options.items()))
    if which not in models:
      untrained.write(folder, CONFIGS[name](), **options)
      models[which] = mefnet_jax.load(folder)
    return models[which]

  return made


def test_each_config_is_here():
  folder = pathlib.Path(configs.__file__).parent
  files = {path.stem for path in folder.glob('*.py')} - {'__init__', 'base'}
  assert files == {name.partition(':')[0] for name in CONFIGS}


# make test-all exports the others too: each takes seconds to compile.
# These hold convolutions over time and streams that are fused;
# convolutions of one frame; networks of motion maps.
# Attention is exported quickly with one stream, by mecnn below.
_QUICK = {'mfcnn:intermediate': PLAIN, 'mefnet_flow': {}, 'mefnet_zero': {}}


@pytest.mark.parametrize(
  ('name', 'options'),
  [
    *_QUICK.items(),
    *(
      pytest.param(name, {}, marks=pytest.mark.slow)
      for name in CONFIGS
      if _QUICK.get(name) != {}
    ),
  ],
)
def test_onnx_runtime_gives_the_models_answers(small, tmp_path, name, options):
  """`write` compares; here on other clips, in other batches."""
  model = small(name, members=1, **options)
  found = write.write(model, tmp_path / 'm.onnx', 'onnx')
  assert found.difference <= agreement.TOLERANCE
  session = onnxruntime.InferenceSession(found.path)
  clips = model_function.sample(model, 5, seed=1)
  wanted = model.probabilities(clips)
  assert np.ptp(wanted, 0).max() > 1e-3  # clips are told apart
  for some in (slice(0, 5), slice(2, 4), slice(4, 5)):
    (said,) = session.run(None, {n: x[some] for n, x in clips.items()})
    np.testing.assert_allclose(said, wanted[some], atol=1e-5)


@pytest.mark.parametrize(
  ('name', 'kind'),
  [
    pytest.param(  # as ONNX and as programs, networks are exported elsewhere
      *(name, kind),
      marks=pytest.mark.slow
      if name != 'mecnn' or kind != 'safetensors'
      else (),
    )
    for name in ('mecnn', 'mfcnn_multimodal')
    for kind in write.FORMATS
  ],
)
def test_each_format_gives_the_models_answers(small, tmp_path, name, kind):
  model = small(name)
  found = write.write(model, tmp_path / 'm', kind)
  assert found.difference <= agreement.TOLERANCE
  content = found.path.read_bytes()
  assert found.sha256 == hashlib.sha256(content).hexdigest()
  assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ['m']


@pytest.mark.parametrize(
  'options',
  [
    {'conv': '2plus1d', 'attention_place': 'pool', 'pool': (2, 2, 2)},
    {
      **{'depth': (1, 1), 'width': (4, 6), 'conv': '3d', 'hidden': ()},
      **{'normalisation': 'layer', 'channel_attention': False},
      **{'spatial_attention': False, 'pool': (1, 3, 3)},
    },
    *(
      pytest.param(alone, marks=pytest.mark.slow)
      for alone in (
        {'conv': '2plus1d'},
        {'attention_place': 'pool', 'pool': (2, 2, 2)},
        {'normalisation': 'layer'},
        {'channel_attention': False},
        {'spatial_attention': False, 'pool': (1, 3, 3)},
        {'depth': (1, 1), 'width': (4, 6), 'conv': '3d'},
        {'hidden': ()},
      )
    ),
  ],
  ids=str,
)
def test_the_networks_options_are_exported(small, tmp_path, options):
  model = small('mecnn', members=1, **options)
  write.write(model, tmp_path / 'm.onnx', 'onnx')


@pytest.mark.parametrize(
  'kind', ['onnx', pytest.param('stablehlo', marks=pytest.mark.slow)]
)
def test_the_scales_of_training_clips_are_inside(small, tmp_path, kind):
  """Moments of training clips, and pixel by pixel: another answer without."""
  random = np.random.default_rng(0)
  shape = (9, 20, 20, 1)
  pixels = {
    'face': {
      'mean': random.normal(0, 20, shape).astype(np.float32),
      'spread': random.uniform(0, 30, shape).astype(np.float32),
    }
  }
  plain = small(members=1, **PLAIN)
  clips = model_function.sample(plain, 4)
  before = plain.probabilities(clips)
  for scale in ({'moments': {'face': (3.0, 900.0)}}, {'pixels': pixels}):
    scaled = small(members=1, **PLAIN, **scale)
    assert np.abs(scaled.probabilities(clips) - before).max() > 1e-3
    write.write(scaled, tmp_path / 'm', kind)


def test_a_fold_alone_or_the_mean_over_all(small, tmp_path):
  model = small(members=3, **PLAIN)
  clips = model_function.sample(model, 3)
  for fold in (None, 'fold2'):
    found = write.write(model, tmp_path / 'm.onnx', 'onnx', fold=fold)
    said = onnx_file.answers(found.path.read_bytes())(clips)
    wanted = model.probabilities(clips, fold=fold)
    np.testing.assert_allclose(said, wanted, atol=1e-5)
  with pytest.raises(errors.UserError, match='fold7.*of fold1, fold2, fold3'):
    write.write(model, tmp_path / 'n.onnx', 'onnx', fold='fold7')
  assert not (tmp_path / 'n.onnx').exists()


def test_the_form_that_runtimes_are_fast_at(small, tmp_path):
  """Frames are channels: all convolutions and poolings are 2D ones."""
  model = small()
  made = onnx.load(write.write(model, tmp_path / 'm.onnx', 'onnx').path)
  windows = [
    attribute.ints
    for node in made.graph.node
    if node.op_type in ('Conv', 'MaxPool')
    for attribute in node.attribute
    if attribute.name == 'kernel_shape'
  ]
  assert windows and all(len(window) == 2 for window in windows)
  (batch,) = {
    one.type.tensor_type.shape.dim[0].dim_param
    for one in (*made.graph.input, *made.graph.output)
  }
  assert batch == 'N'
  assert not any(one.external_data for one in made.graph.initializer)


def test_the_file_says_what_it_is(small, tmp_path):
  model = small('mfcnn', **PLAIN)
  members = model.description['members']
  found = write.write(model, tmp_path / 'm.onnx', 'onnx')
  properties = {
    one.key: one.value for one in onnx.load(found.path).metadata_props
  }
  packed = write.write(model, tmp_path / 'm.safetensors', 'safetensors').path
  with safe_open(packed, 'numpy') as file:
    assert file.metadata() == properties
  assert json.loads(properties['classes']) == list(model.classes)
  assert json.loads(properties['inputs'])['eyes'] == {
    'shape': ['N', 9, 14, 14, 1],
    'dtype': 'uint8',
  }
  assert (properties['frames'], properties['fps']) == ('9', '100.0')
  assert properties['licence'] == 'none: random weights'
  weights = {one['file']: one['sha256'] for one in members}
  assert json.loads(properties['weights']) == weights
  assert json.loads(properties['model.json']) == model.description


def test_an_export_that_answers_otherwise_is_refused(
  small, tmp_path, monkeypatch
):
  """A translation that forgets the biases of the last layer, say."""
  whole = translate.to_graph

  def wrong(traced, inputs, output):
    graph = whole(traced, inputs, output)
    for tensor in graph._constants.values():
      if list(tensor.dims) == [1, 3]:
        tensor.raw_data = np.float32([3, 0, 0]).tobytes()
    return graph

  monkeypatch.setattr(translate, 'to_graph', wrong)
  with pytest.raises(errors.UserError, match='answers otherwise') as caught:
    write.write(small(), tmp_path / 'm.onnx', 'onnx')
  assert '\n' not in str(caught.value)
  assert not list(tmp_path.iterdir())


def test_what_onnx_runtime_cannot_compute_is_refused(small, tmp_path):
  with pytest.raises(errors.UserError) as caught:
    write.write(small(dtype='bfloat16'), tmp_path / 'm.onnx', 'onnx')
  assert '\n' not in str(caught.value)
  assert not (tmp_path / 'm.onnx').exists()


def test_a_program_is_opened_with_its_digest_only(small, tmp_path):
  model = small()
  found = write.write(model, tmp_path / 'm.zip', 'stablehlo')
  assert found.difference <= agreement.TOLERANCE
  assert found.sha256 == hashlib.sha256(found.path.read_bytes()).hexdigest()
  assert [path.name for path in tmp_path.iterdir()] == ['m.zip']
  clips = model_function.sample(model, 2)
  said = stablehlo_file.load(found.path, sha256=found.sha256)(clips)
  np.testing.assert_allclose(said, model.probabilities(clips), atol=1e-5)
  with pytest.raises(errors.UserError, match='not opened'):
    stablehlo_file.load(found.path, sha256='0' * 64)


def test_a_packed_model_is_a_model(small, tmp_path):
  model = small(**PLAIN)
  path = write.write(model, tmp_path / 'm.safetensors', 'safetensors').path
  packed = packed_file.load(path)
  assert packed.members == model.members and packed.streams == model.streams
  clips = model_function.sample(model, 3)
  for fold in (None, 'fold2'):
    np.testing.assert_array_equal(
      packed.probabilities(clips, fold=fold),
      model.probabilities(clips, fold=fold),
    )
  content = bytearray(path.read_bytes())
  content[-5] ^= 1
  path.write_bytes(content)
  with pytest.raises(errors.UserError, match='damaged'):
    packed_file.load(path).probabilities(clips)
  path.write_bytes(b'x' * 100)
  with pytest.raises(errors.UserError, match='not a packed model'):
    packed_file.load(path)


@pytest.mark.parametrize('kind', irregular.KINDS)
def test_what_is_no_file_is_no_export(tmp_path, kind):
  path = tmp_path / 'm.safetensors'
  irregular.make(kind, path)
  said = 'directory' if kind == 'folder' else 'not a regular file'
  with irregular.no_waiting():
    with pytest.raises(errors.UserError, match=said):
      packed_file.load(path)
    with pytest.raises(errors.UserError, match=said):
      stablehlo_file.load(path, sha256='0' * 64)


def damage(model):
  (path, _) = sorted(model.folder.glob('*.safetensors'))
  path.write_bytes(path.read_bytes()[:-3])


@pytest.mark.parametrize('kind', write.FORMATS)
def test_damaged_weights_leave_no_file(small, tmp_path, kind):
  folder = shutil.copytree(small().folder, tmp_path / 'model')
  model = mefnet_jax.load(folder)
  damage(model)
  with pytest.raises(errors.UserError, match='damaged'):
    write.write(model, tmp_path / 'm', kind)
  assert [path.name for path in tmp_path.iterdir()] == ['model']


@pytest.mark.parametrize(
  'name, words',
  [('..', 'a folder'), ('nowhere/m.onnx', 'no such folder'), ('', 'a folder')],
)
def test_a_place_that_is_no_file_is_one_line(small, tmp_path, name, words):
  with pytest.raises(errors.UserError, match=words):
    write.write(small(), tmp_path / name, 'onnx')


def command(folder, path, kind):
  return (
    'mefnet_jax.predict.export',
    [f'--model={folder}', f'--out={path}', f'--format={kind}'],
  )


def test_two_exports_into_one_file_leave_one_whole_file(small, tmp_path):
  model, path = small(**PLAIN), tmp_path / 'm'
  said = tmp_path / 'said'
  both = []
  for kind in ('onnx', 'safetensors'):
    (said / kind).mkdir(parents=True)
    given = command(model.folder, path, kind)
    both.append(forked.start(*given, said / kind))
  for one in both:
    one.join()
  assert [one.exitcode for one in both] == [0, 0]
  content = path.read_bytes()
  clips = model_function.sample(model, 2)
  is_packed = content[8:9] == b'{'
  module = packed_file if is_packed else onnx_file
  np.testing.assert_allclose(
    module.answers(content)(clips), model.probabilities(clips), atol=1e-5
  )
  assert {one.name for one in tmp_path.iterdir()} == {'m', 'said'}


def test_the_command(tmp_path):
  out = tmp_path / 'zero.safetensors'
  given = command('mefnet-zero', out, 'safetensors')
  done = forked.run(*given)
  assert done.returncode == 0, done.stderr
  digest = hashlib.sha256(out.read_bytes()).hexdigest()
  assert digest in done.stdout
  given = command('nowhere', out, 'safetensors')
  failed = forked.run(*given)
  assert failed.returncode == 1 and failed.stderr.count('\n') == 1
