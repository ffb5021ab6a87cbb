"""The 68 landmarks of an average face, for images without landmark detection.

The mean over the 16 SYNTHETIC people of the default release, made symmetric,
in fractions of the face crop. Face crops of real releases are framed alike.
"""

import numpy as np

_THOUSANDTHS = """
68,307 77,424 96,543 121,659 161,769 220,867 298,948 394,1007 500,1024
606,1007 702,948 780,867 839,769 879,659 904,543 923,424 932,307 151,197
211,154 288,151 364,164 437,192 563,192 636,164 712,151 789,154 849,197
500,314 500,398 500,480 500,564 422,618 459,632 500,642 541,632 578,618
239,323 286,305 339,308 383,340 334,354 279,350 617,340 661,308 714,305
761,323 721,350 666,354 361,771 413,742 462,725 500,736 538,725 587,742
639,771 589,813 541,831 500,835 459,831 411,813 385,772 461,765 500,769
539,765 615,772 539,772 500,777 461,772
"""
# (68, 2): x, y. Thousandths are exact enough: a crop has 64 pixels a side.
POINTS = (
  np.array([pair.split(',') for pair in _THOUSANDTHS.split()], float) / 1000
)
