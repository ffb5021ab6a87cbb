"""SMIC: HS, VIS, NIR and the long clips of SMIC-E."""
