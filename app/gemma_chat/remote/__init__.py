"""The engine that computes elsewhere: sessions on a chat server with OpenAI's interface.

llama-server, vLLM, Ollama and `llama_cpp.server` are such servers. `remote.engine` is the seam to
the sessions; below it `request` writes what is asked, `wire` carries it, `events` and `chunks` read
what comes back, and `faults` says in a sentence what is wrong with a server.
"""
