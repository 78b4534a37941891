"""`gemma-chat doctor`: a check for each thing that can stand in the way, each with a remedy."""
