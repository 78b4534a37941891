"""Two profiles at once: hosts, conversations and settings of their own, by real processes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.host.host_process import KEEP_ALIVE, kill_host_of

from gemma_chat.config.paths import Paths
from gemma_chat.host.client import HostClient
from gemma_chat.host.launch import HostLaunch, connect_or_start
from gemma_chat.host.protocol import Goodbye, ListConversations, OpenSession
from gemma_chat.host.status import host_status, stop_host

PROFILES = ("default", "work")


@pytest.fixture
async def hosts(own_home: Path) -> AsyncIterator[dict[str, HostClient]]:
    """A connection to a host of each profile."""
    clients = {
        profile: await connect_or_start(
            HostLaunch(Paths.default(profile), ("--profile", profile, "--no-model", *KEEP_ALIVE))
        )
        for profile in PROFILES
    }
    yield clients
    for profile, client in clients.items():
        await client.close()
        kill_host_of(Paths.default(profile))


async def shell(*arguments: str) -> tuple[int, str]:
    """Run the shell command; its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gemma_chat.cli.main",
        *arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_each_has_its_own_host_and_conversations(hosts: dict[str, HostClient]) -> None:
    assert len({client.welcome.pid for client in hosts.values()}) == 2
    for profile, client in hosts.items():
        await client.request(OpenSession(0, f"of {profile}"))
    for profile, client in hosts.items():
        found = await client.request(ListConversations(0))
        assert [one.title for one in found.conversations] == [f"of {profile}"]
    assert await stop_host(Paths.default("work"))
    assert await host_status(Paths.default("work")) is None
    assert await host_status(Paths.default()) is not None


async def test_each_has_its_own_settings(own_home: Path) -> None:
    code, _ = await shell("--profile", "work", "config", "set", "host.keep_alive", "7")
    assert code == 0
    _, of_work = await shell("--profile", "work", "config", "show")
    _, of_default = await shell("config", "show")
    assert "keep_alive = 7" in of_work
    assert "keep_alive = 7" not in of_default


async def test_the_status_of_all_names_every_host(hosts: dict[str, HostClient]) -> None:
    await hosts["work"].request(Goodbye(0, "stays"))
    code, said = await shell("host", "status", "--all", "--json")
    assert code == 0
    by_profile = {line["profile"]: line for line in map(json.loads, said.splitlines())}
    assert {
        profile: (line["pid"], line.get("stays", False)) for profile, line in by_profile.items()
    } == {
        "default": (hosts["default"].welcome.pid, False),
        "work": (hosts["work"].welcome.pid, True),
    }
    _, table = await shell("host", "status", "--all")
    assert [line.split("\t")[0] for line in table.splitlines()] == list(PROFILES)
    assert "detached" in table.splitlines()[1]


async def test_a_host_that_does_not_tell_hides_no_other(hosts: dict[str, HostClient]) -> None:
    broken = Paths.default("broken")
    broken.make_folders()

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(b"HTTP/1.1 400 \x1b[2J\r\n\r\n")
        writer.close()

    async with await asyncio.start_unix_server(babble, str(broken.socket)):
        code, said = await shell("host", "status", "--all")
    rows = [line.split("\t") for line in said.splitlines()]
    assert code == 0
    assert [row[0] for row in rows] == ["default", "broken", "work"]
    assert rows[1][1].endswith(".")
    assert rows[2][1].startswith("pid ")
