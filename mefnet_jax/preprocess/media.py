"""Recognises the kind of a file by its name; all lists of suffixes are here."""

import pathlib
import unicodedata

# Read, in upper and lower case.
PICTURES = (
  *('.bmp', '.dib', '.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.tif', '.tiff'),
  *('.pgm', '.ppm', '.pnm', '.pbm'),
)
VIDEOS = (
  *('.avi', '.divx', '.mp4', '.m4v', '.mov', '.qt', '.mkv', '.webm', '.mpg'),
  *('.mpeg', '.m2v', '.vob', '.ts', '.mts', '.m2ts', '.wmv', '.asf', '.flv'),
  *('.f4v', '.3gp', '.3g2', '.ogv'),
)
# Formats that no decoder here reads. A folder of them is reported as one clip.
UNREAD_PICTURES = (
  *('.webp', '.heic', '.heif', '.avif', '.gif', '.jp2', '.j2k', '.jpx'),
  *('.jxl', '.jxr', '.raw', '.dng', '.cr2', '.cr3', '.nef', '.arw', '.orf'),
  *('.rw2', '.exr', '.hdr', '.tga', '.pcx', '.psd'),
)
SOUNDS = (
  *('.wav', '.mp3', '.flac', '.m4a', '.aac', '.ogg', '.oga', '.opus', '.wma'),
  *('.mka', '.aif', '.aiff'),
)
# Files that lie beside clips and are not clips.
DOCUMENTS = (
  *SOUNDS,
  *('.txt', '.md', '.rst', '.pdf', '.rtf', '.doc', '.docx', '.odt', '.html'),
  *('.htm', '.csv', '.tsv', '.xls', '.xlsx', '.ods', '.json', '.jsonl'),
  *('.xml', '.yaml', '.yml', '.toml', '.ini', '.cfg', '.log', '.py', '.m'),
  *('.sh', '.md5', '.sha256', '.bib', '.srt', '.vtt', '.eaf', '.textgrid'),
)
_DOCUMENTS = {
  'readme',
  'license',
  'licence',
  'copying',
  'changelog',
  'citation',
}
_LITTER = {
  *('__macosx', 'thumbs.db', 'ehthumbs.db', 'ehthumbs_vista.db'),
  *('desktop.ini', 'icon\r', '$recycle.bin', 'system volume information'),
  *('lost+found', '@eadir', '#recycle'),
}


def is_litter(name: str) -> bool:
  """Returns whether a system or a program left the file, or it is hidden."""
  return name.startswith(('.', '~$')) or name.casefold() in _LITTER


def is_document(name: str) -> bool:
  """Returns whether it is a text, a table, a sound or the like, not a clip."""
  stem, suffix = name.casefold(), pathlib.PurePath(name).suffix.lower()
  return suffix in DOCUMENTS or stem in _DOCUMENTS


def is_writable(name: str) -> bool:
  """Returns whether a name can be written to a table.

  It must hold no control character, and no byte that is not UTF-8.
  """
  return all(unicodedata.category(c) not in ('Cc', 'Cs') for c in name)
