"""Images and recordings on their way into a message: found, read, shown above the input."""
