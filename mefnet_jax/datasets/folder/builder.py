"""The TFDS builder of any other set of clips."""

from mefnet_jax.datasets import builder


class Folder(builder.Builder):
  """Clips in class/subject/clip folders, or named by a table."""

  MANUAL_DOWNLOAD_INSTRUCTIONS = """
  Give as manual_dir a folder with class/subject/clip folders of frames (or
  class/subject/clip.avi), or one with clips.csv: path, subject, label, and if
  known onset, apex, offset. The config says the names of the classes.
  """
  RELEASE = 'folder'
  BUILDER_CONFIGS = []
