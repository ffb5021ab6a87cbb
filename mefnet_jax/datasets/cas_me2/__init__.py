"""CAS(ME)^2: its workbook, its image folders, its label sets."""
