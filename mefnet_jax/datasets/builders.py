"""The TFDS builder of each data set.

Only `loading` imports this module: TFDS takes seconds to import, and the
processes of the preparation do without it.
"""

import functools

from mefnet_jax.datasets import builder, registry
from mefnet_jax.datasets.cas_me2 import builder as cas_me2_builder
from mefnet_jax.datasets.folder import builder as folder_builder
from mefnet_jax.datasets.megc_flow import builder as megc_flow_builder
from mefnet_jax.datasets.smic import builder as smic_builder

# Importing a builder registers it with TFDS: tfds.builder('smic') then works.
BUILDERS = {
  'smic': smic_builder.Smic,
  'cas_me2': cas_me2_builder.CasMe2,
  'megc_flow': megc_flow_builder.MegcFlow,
  'folder': folder_builder.Folder,
}


def find(name: str) -> type[builder.Builder]:
  """Returns the builder of a data set, ours or one that was registered.

  Raises:
    errors.UserError: there is no data set of that name.
  """
  registry.find(name)
  return _registered(name) if name not in BUILDERS else BUILDERS[name]


@functools.cache
def _registered(name):
  """The builder of a data set that a user's own file has registered."""
  fields = {
    '__doc__': f'Clips of {name}, a data set that its user registered.',
    '__module__': __name__,
    'MANUAL_DOWNLOAD_INSTRUCTIONS': 'Give the folder of the release.',
    'RELEASE': name,
    'BUILDER_CONFIGS': [],
    'name': name,
  }
  words = ''.join(word.title() for word in name.split('_'))
  return type(words, (builder.Builder,), fields)
