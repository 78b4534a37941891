"""The model in memory, model files, and downloads."""

from __future__ import annotations

from typing import Literal

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.host.protocol.wire import Wire
from gemma_chat.terms import ModelPlace


class ModelView(Wire, frozen=True):
    """The model of this host; sizes in bytes."""

    phase: Literal["none", "loading", "ready", "failed"] = "none"
    name: str = ""
    path: str = ""
    progress: float = 0.0
    error: str = ""
    safe_mode: str = ""
    context_size: int = 0
    weights_bytes: int = 0
    kv_resident_bytes: int = 0
    kv_saved_bytes: int = 0
    process_bytes: int = 0
    server: str = ""
    """The address of the chat server that computes; empty when this machine does."""
    token_counts: Literal["exact", "estimated"] = "exact"
    """Whether tokens are counted by the model's own tokenizer."""
    recommended: SamplingSettings | None = None
    """How its makers recommend to sample; `None` while no model is loaded."""
    modalities: tuple[Literal["image", "audio"], ...] = ()
    """What it takes beside text."""
    kv_disk_bytes: int = 0
    """Saved states in files."""
    thinks: bool = True
    """Whether it can be told to think; false only of a model that is loaded and cannot."""
    next: str = ""
    """The name of the one that takes its place when the replies under way have ended."""


MemoryFit = Literal["fits", "tight", "too_large"]
"""`tight`: it fits the machine, but not into what is free at the moment."""


class ModelFileView(Wire, frozen=True):
    """A model file on this machine; `source` is what it is called where it was found."""

    path: str
    name: str
    bytes: int
    place: ModelPlace = "own"
    source: str = ""
    fit: MemoryFit = "fits"
    """By its size alone; `ModelFacts` knows it better."""


class OfferView(Wire, frozen=True):
    """A model of the catalogue that can be downloaded; sizes in bytes."""

    name: str
    repository: str
    licence: str
    download_bytes: int
    needed_bytes: int
    modalities: tuple[Literal["text", "image", "audio"], ...] = ("text",)
    abilities: tuple[Literal["thinking", "tools"], ...] = ()
    explanation: str = ""
    fit: MemoryFit = "fits"


DownloadState = Literal["starting", "running", "checking", "paused", "failed"]


class DownloadView(Wire, frozen=True):
    """A download that is not finished. `name` is what was asked for; sizes are of all its files.

    `page` is where the terms of a gated model are accepted, when that is why it failed.
    """

    download: int
    name: str
    state: DownloadState
    file: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_per_second: float = 0.0
    error: str = ""
    page: str = ""


class LoadModel(Wire, frozen=True, tag="load_model"):
    """Load another model file, or use that of a `server`; tabs stay.

    A file that cannot be one is refused, and nothing happens. One that turns out to be none while
    it is loaded gives way again to the one that was there. `now` interrupts the reply under way,
    which keeps its text, and what waits in the queue is answered by the new model; `idle` waits
    until all of that has ended. What is asked from then on is answered by the new model. Answer:
    `Done`, then `ModelChanged`.
    """

    id: int
    path: str = ""
    server: str = ""
    server_model: str = ""
    when: Literal["now", "idle"] = "now"


class ListModels(Wire, frozen=True, tag="list_models"):
    """The model files on this machine, and what can be downloaded. Answer: `Models`."""

    id: int


class DescribeModel(Wire, frozen=True, tag="describe_model"):
    """What a model file says of itself, and whether it fits into memory. Answer: `ModelFacts`."""

    id: int
    path: str


class HubToken(Wire, frozen=True):
    """A person's token for the hub; never shown, also not where a request is."""

    secret: str = ""

    def __repr__(self) -> str:
        return "HubToken(…)" if self.secret else "HubToken()"


class StartDownload(Wire, frozen=True, tag="start_download"):
    """Download a model: its name in the catalogue, or OWNER/NAME[:PATTERN] on the hub.

    The host goes on with it when terminals leave. One that is there goes on. A `token` is given to
    the hub instead of the host's own, and kept in memory alone, until this download is over.
    Answer: `Done`.
    """

    id: int
    name: str
    token: HubToken = HubToken()


class ChangeDownload(Wire, frozen=True, tag="change_download"):
    """Pause a download, go on with it, or give it up with all that has come. Answer: `Done`.

    It goes on with this `token` when there is one, as with that of `StartDownload`.
    """

    id: int
    download: int
    wish: Literal["pause", "resume", "drop"]
    token: HubToken = HubToken()


class RemoveModel(Wire, frozen=True, tag="remove_model"):
    """Delete a model file of the program's own folder, which is not loaded. Answer: `Done`."""

    id: int
    path: str


class Models(Wire, frozen=True, tag="models"):
    """What there is to load and to download; sizes in bytes.

    `chosen` is the path of the file that is loaded at the next start, or empty.
    """

    id: int
    files: tuple[ModelFileView, ...]
    offers: tuple[OfferView, ...]
    chosen: str = ""
    memory_bytes: int = 0
    disk_bytes: int = 0
    """Free where downloads go."""
    folder: str = ""


class ModelFacts(Wire, frozen=True, tag="model_facts"):
    """What stands in the head of a model file. `fault` says why it cannot be loaded."""

    id: int
    path: str
    name: str = ""
    architecture: str = ""
    quantisation: str = ""
    parameters: int = 0
    context_length: int = 0
    has_template: bool = True
    modalities: tuple[Literal["image", "audio"], ...] = ()
    needed_bytes: int = 0
    fit: MemoryFit = "fits"
    fault: str = ""


class ModelChanged(Wire, frozen=True, tag="model_changed"):
    """Loading went on, ended or failed, or memory figures changed."""

    model: ModelView


class DownloadsChanged(Wire, frozen=True, tag="downloads_changed"):
    """The downloads as they are now; one that is no longer among them has ended."""

    downloads: tuple[DownloadView, ...]
