"""The address of a server is read once, and wrong ones are refused with a sentence."""

from __future__ import annotations

import pytest

from gemma_chat.errors import SettingsError
from gemma_chat.remote.address import ServerAddress


@pytest.mark.parametrize(
    ("url", "shown", "target"),
    [
        ("http://localhost:8080", "http://localhost:8080", "/v1/models"),
        ("http://localhost:8080/", "http://localhost:8080", "/v1/models"),
        ("http://localhost:11434/v1", "http://localhost:11434", "/v1/models"),
        ("https://models.example/v1/", "https://models.example", "/v1/models"),
        ("https://models.example:443", "https://models.example", "/v1/models"),
        ("http://[::1]:8080", "http://[::1]:8080", "/v1/models"),
        ("HTTPS://Models.Example/gate way", None, None),
        (
            "https://models.example/gateway/a",
            "https://models.example/gateway/a",
            "/gateway/a/v1/models",
        ),
        ("http://müller.example", "http://xn--mller-kva.example", "/v1/models"),
    ],
)
def test_an_address_is_read_with_or_without_its_version(
    url: str, shown: str | None, target: str | None
) -> None:
    if shown is None:
        with pytest.raises(SettingsError, match="is not the address"):
            ServerAddress.parse(url)
        return
    address = ServerAddress.parse(url)
    assert (address.url, address.target("/v1/models")) == (shown, target)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8080",
        "ftp://localhost",
        "http://",
        "http://host:99999",
        "http://host:port",
        "http://[::1",
        "http://host\n.example",
        "http://host\x1b[2J",
        "http://" + "a" * 5000,
        "http://" + "ä" * 70 + ".example",
    ],
)
def test_what_is_no_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(SettingsError, match="Write it as http://localhost:8080") as refused:
        ServerAddress.parse(url)
    assert str(refused.value).isprintable()


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="api_key_env") as refused:
        ServerAddress.parse("https://me:secret@models.example")
    assert "secret" not in str(refused.value)


def test_a_query_in_an_address_is_refused() -> None:
    with pytest.raises(SettingsError, match="leave out"):
        ServerAddress.parse("https://models.example/?key=1")
