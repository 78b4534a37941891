"""The first minutes: a model, a role, and something to say."""
