"""Model files: which there are, what they say of themselves, which are worth getting."""
