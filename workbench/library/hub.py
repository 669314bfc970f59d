"""What the Hugging Face hub offers: search, the files of a repository, and which of them make one model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from workbench.errors import HubError, NotFoundError
from workbench.library.layout import MLX_WEIGHTS, PEFT_WEIGHTS, holds_adapter_alone
from workbench.model import ModelFormat

if TYPE_CHECKING:
    from huggingface_hub import HfApi


class HubRepo(BaseModel):
    """One repository that a search found.

    Attributes:
        id: `organisation/name`.
        downloads: Downloads of the last 30 days.
        likes: How many people marked it.
        gated: Whether its owner asks for a sign-in and consent first.
        updated: Day of the last change, `YYYY-MM-DD`; empty where unknown.
        formats: The formats that its tags promise.
        licence: As its tags state it.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    downloads: int = 0
    likes: int = 0
    gated: bool = False
    updated: str = ""
    formats: tuple[ModelFormat, ...] = ()
    licence: str = ""


class HubFile(BaseModel):
    """One file of a repository. `sha256` is known for large files, `git_sha1` for the small ones."""

    model_config = ConfigDict(frozen=True)

    name: str
    size_bytes: int
    sha256: str | None = None
    git_sha1: str | None = None


class HubChoice(BaseModel):
    """Files of a repository that together make one model.

    Attributes:
        title: What tells it from its siblings: `Q4_K_M`, `safetensors`, `MLX`, `adapter`.
        format: The format that the files make.
        files: Their names in the repository.
        size_bytes: Bytes to download.
    """

    model_config = ConfigDict(frozen=True)

    title: str
    format: ModelFormat
    files: tuple[str, ...]
    size_bytes: int


class HubListing(BaseModel):
    """A repository at one commit: its files, and the models that they make."""

    model_config = ConfigDict(frozen=True)

    repo: str
    commit: str
    files: tuple[HubFile, ...]
    choices: tuple[HubChoice, ...]
    refused: str = ""


class Hub:
    """A hub, by default the one that `HF_ENDPOINT` names."""

    def __init__(self, endpoint: str | None = None, token: str | None = None) -> None:
        self._endpoint = endpoint or None
        self._token = token or None

    def search(self, text: str, limit: int = 30) -> list[HubRepo]:
        """Repositories that match, the most downloaded first.

        Raises:
            HubError: The hub can't be reached or refuses.
        """
        with _readable_errors(f"Searching the hub for “{text}”"):
            found = self._api().list_models(search=text, sort="downloads", limit=limit, full=True)
            return [
                HubRepo(
                    id=info.id,
                    downloads=info.downloads or 0,
                    likes=info.likes or 0,
                    gated=bool(info.gated),
                    updated=info.last_modified.date().isoformat() if info.last_modified else "",
                    formats=_formats(info.tags or []),
                    licence=next((tag[8:] for tag in info.tags or [] if tag.startswith("license:")), ""),
                )
                for info in found
            ]

    def listing(self, repo: str, revision: str = "main") -> HubListing:
        """The files of a repository at the commit that `revision` names now.

        Raises:
            HubError: The hub can't be reached, or refuses (a gated repository without a token).
            NotFoundError: There is no such repository or revision.
        """
        with _readable_errors(f"Reading {repo} on the hub", repo):
            info = self._api().model_info(repo, revision=revision, files_metadata=True)
        files = tuple(
            HubFile(
                name=each.rfilename,
                size_bytes=each.size or 0,
                sha256=each.lfs.sha256 if each.lfs else None,
                git_sha1=None if each.lfs else each.blob_id,
            )
            for each in info.siblings or ()
        )
        offered = choices(files, is_mlx="mlx" in (info.tags or []))
        return HubListing(
            repo=repo,
            commit=info.sha or revision,
            files=files,
            choices=offered,
            refused="" if offered else _why_none(files),
        )

    def beginning(self, repo: str, commit: str, name: str, size_bytes: int) -> bytes:
        """The first bytes of a file of a repository.

        Raises:
            HubError: The hub can't be reached or refuses.
        """
        from huggingface_hub import get_session, hf_hub_url
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

        url = hf_hub_url(repo, name, revision=commit, endpoint=self._endpoint)
        headers = build_hf_headers(token=self._token or False, library_name="tenfold")
        content = bytearray()
        with _readable_errors(f"Reading {name} of {repo} on the hub", repo):
            asked = {**headers, "Range": f"bytes=0-{size_bytes - 1}"}
            with get_session().stream("GET", url, headers=asked, follow_redirects=True) as response:
                hf_raise_for_status(response)
                # A server that ignores the range would send the whole file.
                for block in response.iter_bytes():
                    content += block
                    if len(content) >= size_bytes:
                        break
        return bytes(content[:size_bytes])

    def _api(self) -> HfApi:
        from huggingface_hub import HfApi

        return HfApi(endpoint=self._endpoint, token=self._token or False, library_name="tenfold")


def choices(files: Sequence[HubFile], *, is_mlx: bool = False) -> tuple[HubChoice, ...]:
    """Which models a repository's files make: one choice for each GGUF quantization, one for a folder.

    Parts of a split GGUF belong together. Vision projectors (`mmproj`) and importance matrices are no
    models of their own. A folder needs its weights as safetensors and a `config.json`, or is an adapter's.
    """
    by_model: dict[str, list[HubFile]] = {}
    for file in files:
        path = PurePosixPath(file.name)
        if path.suffix.lower() == ".gguf" and not re.search(r"mmproj|imatrix", path.name, re.IGNORECASE):
            by_model.setdefault(_SPLIT.sub("", str(path.with_suffix(""))), []).append(file)
    common = _common_prefix([PurePosixPath(stem).name for stem in by_model])
    offered = [
        HubChoice(
            title=PurePosixPath(stem).name.removeprefix(common).strip("-._") or PurePosixPath(stem).name,
            format="gguf",
            files=tuple(sorted(file.name for file in parts)),
            size_bytes=sum(file.size_bytes for file in parts),
        )
        for stem, parts in by_model.items()
    ]
    offered.sort(key=lambda choice: choice.size_bytes)
    folder = [file for file in files if "/" not in file.name and _belongs_to_folder(file.name)]
    names = {file.name for file in folder}
    if holds_adapter_alone(names) and not names.isdisjoint((PEFT_WEIGHTS, MLX_WEIGHTS)):
        offered.append(
            HubChoice(
                title="adapter",
                format="adapter",
                files=tuple(sorted(names)),
                size_bytes=sum(file.size_bytes for file in folder),
            )
        )
    elif "config.json" in names and any(name.endswith(".safetensors") for name in names):
        offered.append(
            HubChoice(
                title="MLX" if is_mlx else "safetensors",
                format="mlx" if is_mlx else "hf",
                files=tuple(sorted(names)),
                size_bytes=sum(file.size_bytes for file in folder),
            )
        )
    return tuple(offered)


def pick(listing: HubListing, wanted: str) -> HubChoice:
    """The choice that a person named by its title or a file name; the only one where nothing is named.

    Raises:
        HubError: The repository holds no model that Tenfold can use.
        NotFoundError: No choice, or more than one, is meant.
    """
    if not listing.choices:
        raise HubError(f"{listing.repo} holds no model that Tenfold can use. {listing.refused}".rstrip())
    if not wanted and len(listing.choices) == 1:
        return listing.choices[0]
    meant = [
        choice
        for choice in listing.choices
        if wanted and (choice.title.lower() == wanted.lower() or wanted in choice.files)
    ]
    if len(meant) == 1:
        return meant[0]
    offered = ", ".join(choice.title for choice in listing.choices)
    raise NotFoundError(
        f"{listing.repo} holds several models." if not wanted else f"{listing.repo} has no “{wanted}”.",
        remedy=f"Name one: {offered}.",
    )


_SPLIT = re.compile(r"-\d{5}-of-\d{5}$")
_FOLDER_SUFFIXES = (".safetensors", ".json", ".model", ".jinja", ".txt", ".tiktoken")
_FOLDER_NAMES = ("LICENSE", "LICENSE.md", "LICENSE.txt", "README.md", "NOTICE")


def _belongs_to_folder(name: str) -> bool:
    return name.endswith(_FOLDER_SUFFIXES) or name in _FOLDER_NAMES


def _common_prefix(stems: list[str]) -> str:
    """What all file names begin with, up to the last separator: `Model-` of `Model-Q4_0`, `Model-Q8_0`."""
    if len(stems) < 2:
        return re.sub(r"[^-.]+$", "", stems[0]) if stems else ""
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(min(stems), max(stems), strict=False))
    return re.sub(r"[^-.]*$", "", "".join(letter for letter, _ in shared))


def _formats(tags: Sequence[str]) -> tuple[ModelFormat, ...]:
    named: dict[str, ModelFormat] = {"gguf": "gguf", "mlx": "mlx", "safetensors": "hf", "peft": "adapter"}
    found = [named[tag] for tag in tags if tag in named]
    # MLX weights and adapters are safetensors too.
    return tuple(each for each in found if not (each == "hf" and ("mlx" in found or "adapter" in found)))


def _why_none(files: Sequence[HubFile]) -> str:
    if any(file.name.endswith((".bin", ".pt", ".pth", ".ckpt")) for file in files):
        return (
            "Its weights are pickle files, which can run code when they are loaded, so they are never opened."
        )
    return "It has neither a GGUF file nor safetensors weights with a config.json."


@contextmanager
def _readable_errors(doing: str, repo: str = "") -> Iterator[None]:
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise HubError(
            f"{repo} is gated: its owner asks for consent first.",
            remedy="Accept its terms on the hub's page, then set your token in Settings or in HF_TOKEN.",
            details=str(error),
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise NotFoundError(
            f"The hub has no repository or revision {repo}.",
            remedy="Check the spelling; a private repository needs your token.",
        ) from error
    except errors.OfflineModeIsEnabled as error:
        raise HubError(
            f"{doing} failed: HF_HUB_OFFLINE is set, so nothing may go out.",
            remedy="Unset HF_HUB_OFFLINE to use the hub.",
        ) from error
    except errors.HFValidationError as error:
        raise NotFoundError(f"“{repo}” is no repository name.", remedy="Write organisation/name.") from error
    except (errors.HfHubHTTPError, OSError, ValueError) as error:
        raise HubError(
            f"{doing} failed: {_first_line(error)}",
            remedy="Check the connection and try again.",
            details=str(error),
        ) from error
    except Exception as error:
        # The hub's client lets its HTTP library's own errors through; their root is not an OSError.
        if type(error).__module__.partition(".")[0] not in ("httpx", "httpx2", "httpcore", "httpcore2"):
            raise
        raise HubError(
            f"{doing} failed: the hub can't be reached ({_first_line(error)}).",
            remedy="Check the connection and try again.",
            details=repr(error),
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
