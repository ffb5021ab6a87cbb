"""The TFDS builder of SMIC."""

from mefnet_jax.datasets import builder
from mefnet_jax.datasets.smic import release


class Smic(builder.Builder):
  """SMIC: spontaneous micro-expressions, prepared as clips of face crops."""

  MANUAL_DOWNLOAD_INSTRUCTIONS = """
  SMIC is given to researchers who sign its licence: ask the Center for Machine
  Vision and Signal Analysis of the University of Oulu (https://www.oulu.fi).
  Unpack it so that the folder given as manual_dir holds
  SMIC_all_cropped/HS/s2/micro/surprise/s2_sur_02/reg_image036237.bmp
  (or SMIC_all_raw, or VIS, NIR).
  """
  RELEASE = 'smic'
  CLASSES = dict.fromkeys(('emotion3',), release.CLASSES)
  BUILDER_CONFIGS = [
    builder.Config(name=subset, subset=subset) for subset in release.SUBSETS
  ]
