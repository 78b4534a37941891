"""What the input box can do beside taking letters: history, commands, completion, files, vi."""
