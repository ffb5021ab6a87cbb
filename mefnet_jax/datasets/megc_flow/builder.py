"""The TFDS builder of the MEGC2019 composite as flow maps."""

from mefnet_jax.datasets import builder
from mefnet_jax.datasets.megc_flow import release
from mefnet_jax.preprocess import maps


class MegcFlow(builder.Builder):
  """SMIC-HS, CASME II and SAMM as 28 x 28 maps of flow and strain."""

  MANUAL_DOWNLOAD_INSTRUCTIONS = """
  The maps are in public circulation since STSTNet (Liong et al. 2019) and need
  no licence form. Unpack them so that the folder given as manual_dir holds
  three_norm_u_v_os/006/u_test/0/006_1_2 .png, or
  STSNet_whole_norm_u_v_os/006_1_2 .png with
  combined_3_class2_for_optical_flow.csv beside it.
  """
  RELEASE = 'megc_flow'
  CLASSES = dict.fromkeys(('emotion3',), release.CLASSES)
  BUILDER_CONFIGS = [builder.Config(name='composite', options=maps.Options())]
