"""Images and recordings as files: what they are, whether they are whole, and their pixels."""
