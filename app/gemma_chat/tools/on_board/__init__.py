"""The tools that come with the program. All are off until a tab turns them on."""
