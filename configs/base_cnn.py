r"""The paper's base model: the whole face, no attention (MicroExpSTCNN).

python -m mefnet_jax.main --config=configs/base_cnn.py --workdir=runs/base
"""

from configs import mecnn


def get_config():
  config = mecnn.get_config()
  config.model.name = 'base'
  for field in ('channel_attention', 'spatial_attention', 'attention_place'):
    del config.model[field]
  return config
