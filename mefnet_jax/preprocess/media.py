"""What kind of file a name says it is: THE lists of suffixes, and of litter."""

import pathlib
import unicodedata

# Read, whatever their case.
PICTURES = (
  *('.bmp', '.dib', '.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.tif', '.tiff'),
  *('.pgm', '.ppm', '.pnm', '.pbm'),
)
VIDEOS = (
  *('.avi', '.divx', '.mp4', '.m4v', '.mov', '.qt', '.mkv', '.webm', '.mpg'),
  *('.mpeg', '.m2v', '.vob', '.ts', '.mts', '.m2ts', '.wmv', '.asf', '.flv'),
  *('.f4v', '.3gp', '.3g2', '.ogv'),
)
# Pictures that no decoder here reads: many of them are one clip.
UNREAD_PICTURES = (
  *('.webp', '.heic', '.heif', '.avif', '.gif', '.jp2', '.j2k', '.jpx'),
  *('.jxl', '.jxr', '.raw', '.dng', '.cr2', '.cr3', '.nef', '.arw', '.orf'),
  *('.rw2', '.exr', '.hdr', '.tga', '.pcx', '.psd'),
)
# What lies beside clips and is none.
DOCUMENTS = (
  *('.txt', '.md', '.rst', '.pdf', '.rtf', '.doc', '.docx', '.odt', '.html'),
  *('.htm', '.csv', '.tsv', '.xls', '.xlsx', '.ods', '.json', '.jsonl'),
  *('.xml', '.yaml', '.yml', '.toml', '.ini', '.cfg', '.log', '.py', '.m'),
  *('.sh', '.md5', '.sha256', '.bib', '.srt', '.vtt', '.eaf', '.textgrid'),
  *('.wav', '.mp3', '.flac', '.m4a', '.aac', '.ogg', '.opus', '.wma'),
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
  """Whether an operating system or a program left it; hidden names count."""
  return name.startswith(('.', '~$')) or name.casefold() in _LITTER


def is_document(name: str) -> bool:
  """Whether it is text, a table, sound or the like, and no clip."""
  stem, suffix = name.casefold(), pathlib.PurePath(name).suffix.lower()
  return suffix in DOCUMENTS or stem in _DOCUMENTS


def is_writable(name: str) -> bool:
  """Whether a name can stand in a table: no control character in it, and no
  byte that is not UTF-8."""
  return all(unicodedata.category(c) not in ('Cc', 'Cs') for c in name)
