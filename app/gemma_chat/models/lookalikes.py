"""What a file that is not GGUF looks like, in words."""

from __future__ import annotations

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs.github.com/", "a Git LFS pointer: the file itself was not fetched"),
    (b"PK\x03\x04", "a zip archive or a PyTorch checkpoint"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"(\xb5/\xfd", "a zstd archive"),
    (b"7z\xbc\xaf'\x1c", "a 7-Zip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"lmgg", "a GGML file of 2023: its format is no longer read"),
    (b"fmgg", "a GGML file of 2023: its format is no longer read"),
    (b"tjgg", "a GGML file of 2023: its format is no longer read"),
    (b"FUGG", "a GGUF file with its bytes swapped"),
)
_PICKLE_PROTOCOLS = b"\x02\x03\x04\x05"
_SAFETENSORS_HEADER_LIMIT = 100_000_000


def looks_like(head: bytes) -> str:
    """Say what the first bytes of a file look like: "a zip archive", "text", …"""
    for signature, words in _SIGNATURES:
        if head.startswith(signature):
            return words
    if _is_safetensors(head):
        return "a safetensors file: it must be converted to GGUF first"
    if len(head) > 1 and head[0] == 0x80 and head[1] in _PICKLE_PROTOCOLS:
        return "a Python pickle or an old PyTorch checkpoint"
    if not any(head):
        return "nothing but zero bytes, as an unfinished download leaves them"
    text = _as_text(head)
    if text is None:
        return "binary data of an unknown kind"
    start = text.lstrip("\ufeff \t\r\n").lower()
    if start.startswith(("<!doctype html", "<html", "<head")):
        return "a web page: the download gave a page instead of the file"
    if start.startswith("<?xml"):
        return "an XML document"
    if start.startswith(("{", "[")):
        return "a JSON document"
    return "text"


def _is_safetensors(head: bytes) -> bool:
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 2 <= length <= _SAFETENSORS_HEADER_LIMIT


def _as_text(head: bytes) -> str | None:
    try:
        # The last character may have been cut through.
        text = head[:-3].decode() if len(head) > 3 else head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 7:
            return None
        text = head[: error.start].decode()
    return text if all(letter.isprintable() or letter.isspace() for letter in text) else None
