"""What a model can call: functions of a program, tools on board, and those of MCP servers.

A `Tool` is what the model is told and what runs. Who may run what, and when, is decided by the
sessions, which know nothing of where a tool comes from.
"""
