r"""MFCNN with sound and words beside eyes and mouth.

Clips may lack any of them; training leaves streams out at random, so that the
network depends on none. The default release is SYNTHETIC, with a sound and a
transcript for most clips, both weakly dependent on the class.

python -m mefnet_jax.main --config=configs/mfcnn_multimodal.py --workdir=runs/m
python -m mefnet_jax.main --config=configs/mfcnn_multimodal.py:audio
"""

from configs import mfcnn


def get_config(modalities: str = 'audio,text'):
  config = mfcnn.get_config()
  names = tuple(name for name in modalities.split(',') if name)
  config.dataset.modalities = names
  config.model.streams = ('eyes', 'mouth', *names)
  config.model.modality_dropout = 0.2
  return config
