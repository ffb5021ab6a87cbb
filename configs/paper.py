r"""The paper taken literally: LEAKY, kept to show what it measures.

Frames as they are, 80 % of the clips for training and 20 % for test drawn by
clip (the same people on both sides), Adam at 1e-4 with decay 1e-5, 100
epochs, batches of 64, no class weights.

python -m mefnet_jax.main --config=configs/paper.py --workdir=runs/paper
python -m mefnet_jax.main --config=configs/paper.py:mecnn
"""

from configs import base_cnn, mecnn, mfcnn

_MODELS = {
  'mfcnn': mfcnn.get_config,
  'intermediate': lambda: mfcnn.get_config('intermediate'),
  'mecnn': mecnn.get_config,
  'base': base_cnn.get_config,
}


def get_config(model: str = 'mfcnn'):
  if model not in _MODELS:
    raise ValueError(
      f'no variant {model!r}: choose one of {", ".join(_MODELS)}'
    )
  config = _MODELS[model]()
  config.input = 'frames'
  config.protocol.name = 'holdout'
  config.train.learning_rate = 1e-4
  config.train.decay = 1e-5
  config.train.epochs = 100
  config.train.class_weights = False
  return config
