"""The servers of tools that a person has configured: `[mcp.servers.NAME]` in the settings file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gemma_chat.errors import SettingsError

MAX_SERVERS: Final = 32
MAX_TEXT: Final = 4_000
MAX_WORDS: Final = 200

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,19}")
_KEYS: Final = ("command", "args", "env", "url")


class McpServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One server of the Model Context Protocol: a `command` that is started, or a `url`."""

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    """Environment variables beside the few that are always passed on (PATH, HOME, ...)."""
    url: str = ""


def servers_from(table: Any) -> tuple[McpServerSettings, ...]:
    """The servers of the section `mcp` of a document; raises `SettingsError`."""
    if not isinstance(table, Mapping) or set(table) - {"servers"}:
        raise SettingsError("mcp must hold servers: write [mcp.servers.NAME] and its keys below.")
    servers = table.get("servers", {})
    if not isinstance(servers, Mapping):
        raise SettingsError("mcp.servers must hold sections: write [mcp.servers.NAME].")
    if len(servers) > MAX_SERVERS:
        raise SettingsError(f"{len(servers)} mcp.servers are too many: at most {MAX_SERVERS}.")
    return tuple(_server(name, values) for name, values in servers.items())


def servers_table(servers: tuple[McpServerSettings, ...]) -> dict[str, Any]:
    """The section `mcp` that says this."""
    return {"servers": {server.name: _server_table(server) for server in servers}}


def _server(name: str, values: Any) -> McpServerSettings:
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"The server name {name[:60]!r} is not allowed: 1 to 20 letters, digits and -, "
            "with a letter first."
        )
    key = f"mcp.servers.{name}"
    if not isinstance(values, Mapping):
        raise SettingsError(f"{key} must be a section: write [{key}] and its keys below.")
    for other in values:
        if other not in _KEYS:
            raise SettingsError(
                f"{key}.{other[:60]} is not a setting. The settings are: {', '.join(_KEYS)}."
            )
    server = McpServerSettings(
        name=name,
        command=_text(f"{key}.command", values.get("command", "")),
        args=_texts(f"{key}.args", values.get("args", [])),
        env=_environment(f"{key}.env", values.get("env", {})),
        url=_text(f"{key}.url", values.get("url", "")),
    )
    if bool(server.command) == bool(server.url):
        raise SettingsError(f"{key} must have either a command, to be started, or a url.")
    if server.url and not server.url.startswith(("http://", "https://")):
        raise SettingsError(f"{key}.url = {server.url[:60]!r} must begin with http:// or https://.")
    return server


def _server_table(server: McpServerSettings) -> dict[str, Any]:
    if server.url:
        return {"url": server.url}
    table: dict[str, Any] = {"command": server.command}
    if server.args:
        table["args"] = list(server.args)
    if server.env:
        table["env"] = dict(server.env)
    return table


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT or "\0" in value:
        raise SettingsError(f"{key} must be text of at most {MAX_TEXT:,} characters.")
    return value


def _texts(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_WORDS:
        raise SettingsError(f"{key} must be a list of at most {MAX_WORDS} texts.")
    return tuple(_text(key, one) for one in value)


def _environment(key: str, value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping) or len(value) > MAX_WORDS:
        raise SettingsError(f'{key} must be a table of texts: {{ NAME = "value" }}.')
    for name in value:
        if not name or "=" in name or "\0" in name:
            raise SettingsError(f"{key}: {name[:60]!r} is not the name of an environment variable.")
    return tuple((name, _text(f"{key}.{name}", one)) for name, one in value.items())
