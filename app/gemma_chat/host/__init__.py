"""The process that owns the model, the sessions and the store, and the way to it.

A message travels input → `link` → `client` → socket → `connection` → `service` →
`asking` → `turns` → the sessions room; its events travel back through `turn_record`,
`outbox` and `freshness`. What a terminal needs is `protocol` and `link` (or `client`), which load
nothing heavy; `main` is the process.
"""
