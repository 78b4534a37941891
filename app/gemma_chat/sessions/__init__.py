"""Many conversations on one engine: sessions, the generation lock, chats and the summarizer.

An event loop owns what a caller sees; one engine thread per model computes. They meet in
`engine_thread` (orders in, under one short mutex) and `outbox` (results out, in batches).
"""
