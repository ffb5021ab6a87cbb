"""Any other release: a tree of clips, or a CSV table of them."""
