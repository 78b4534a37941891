"""vi's keys for the input: pure text in, what to do out. `machine.py` is the way in."""
