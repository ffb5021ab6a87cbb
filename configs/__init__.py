"""One file a config; base.py holds every knob, the others what differs."""
