r"""The paper's base model: the whole face, no attention (MicroExpSTCNN).

python -m mefnet_jax.main --config=configs/base_cnn.py --workdir=runs/base
"""

from configs import mecnn

_ATTENTION = (
  'channel_attention',
  'spatial_attention',
  'attention_place',
  'reduction',
  'attention_kernel',
  'drop_rate',
  'drop_threshold',
  'depth',
  'width',
)


def get_config():
  config = mecnn.get_config()
  config.model.name = 'base'
  for field in _ATTENTION:
    del config.model[field]
  return config
