"""The shell command `gemma-chat`: a thin skin; each command imports what it needs when it runs."""
