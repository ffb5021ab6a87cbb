"""The TFDS builder of CAS(ME)^2."""

from mefnet_jax.datasets import builder
from mefnet_jax.datasets.cas_me2 import label_sets, release


class CasMe2(builder.Builder):
  """CAS(ME)^2: macro- and micro-expressions, prepared as face-crop clips."""

  MANUAL_DOWNLOAD_INSTRUCTIONS = """
  CAS(ME)^2 is given to researchers who sign its licence: ask the Institute of
  Psychology, Chinese Academy of Sciences (http://casme.psych.ac.cn/casme/e3).
  Unpack it so that the folder given as manual_dir holds
  CAS(ME)^2code_final.xlsx and selectedpic/s15/anger1_1/img557.jpg
  (or cropped/15/anger1_1, or rawpic/s15/15_0101disgustingteeth).
  """
  RELEASE = 'cas_me2'
  CLASSES = label_sets.SETS
  BUILDER_CONFIGS = [
    builder.Config(
      name=f'{expressions}_{labels}', expressions=expressions, labels=labels
    )
    for expressions in release.EXPRESSIONS
    for labels in label_sets.SETS
  ]
