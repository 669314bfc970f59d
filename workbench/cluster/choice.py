"""Whether a job can run at a place, and the job that does."""

from __future__ import annotations

from workbench.cluster.place import HERE, Place, place_named
from workbench.errors import UsageError
from workbench.jobs.spec import JobSpec


def at_place(spec: JobSpec, places: tuple[Place, ...], name: str) -> JobSpec:
    """The job, to be run at a place; at none where the name is empty or `here`.

    Raises:
        NotFoundError: There is no such place.
        UsageError: It is a download, which belongs where its result is wanted.
    """
    if name in ("", HERE):
        return spec
    place = place_named(places, name)
    if spec.needs == "network":
        raise UsageError(
            f"“{spec.title}” is a download, and runs on this computer.",
            remedy="Leave the place out; what it brings can be worked on elsewhere then.",
        )
    return spec.model_copy(update={"place": place.name})
