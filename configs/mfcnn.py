r"""MFCNN: an eye and a mouth stream, fused late (default) or intermediate.

python -m mefnet_jax.main --config=configs/mfcnn.py --workdir=runs/mfcnn
python -m mefnet_jax.main --config=configs/mfcnn.py:intermediate
"""

from configs import base


def get_config(fusion: str = 'late'):
  config = base.get_config()
  config.model.fusion = fusion
  return config
