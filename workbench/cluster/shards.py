"""Spreads items of work over the workers of a Ray cluster, and gives back what they make as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from workbench.cluster.session import ray_session
from workbench.errors import WorkbenchError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

#: An item with its place in the order of all.
Numbered = tuple[int, _Item]

#: How often a shard begins again after its worker died: what fails three times fails for a reason.
_RESTARTS = 3
_TICK_S = 0.1


def spread(
    work: Callable[[Sequence[Numbered[_Item]]], Iterator[Numbered[_Result]]],
    items: Sequence[_Item],
    *,
    workers: int,
    check: Callable[[], None] = lambda: None,
) -> Iterator[Numbered[_Result]]:
    """What a function makes of every item, in any order, each once.

    The items are dealt out in turn, one share a worker, so that shares are alike however the items are
    ordered. When a worker dies, what it had not yet given back is begun anew by another.

    Args:
        work: Makes results of a share: one for each item, with the item's number. Runs on a worker, once for
            a share, so what it loads is loaded once; must be importable there.
        check: Called all the while; what it raises ends the work.

    Raises:
        MissingExtraError: Ray is not installed.
        WorkbenchError: What the work raised, in words; or a worker died too often.
    """
    numbered = list(enumerate(items))
    with ray_session(workers) as ray:
        task = ray.remote(num_cpus=1, max_retries=0, num_returns="streaming")(_told)
        shares = [numbered[at::workers] for at in range(min(workers, len(numbered)))]
        running = {task.remote(work, share): share for share in shares}
        deaths = 0
        while running:
            check()
            ready, _waiting = ray.wait(list(running), timeout=_TICK_S)
            for stream in ready:
                share = running.pop(stream)
                try:
                    result = ray.get(next(stream))
                except StopIteration:
                    _all_there(share)
                    continue
                except ray.exceptions.RayTaskError as error:
                    raise _unforeseen(error) from error
                except ray.exceptions.RayError as error:
                    deaths += 1
                    if deaths > _RESTARTS:
                        raise WorkbenchError(
                            f"A worker died {deaths} times.",
                            remedy="Look into the details; it may lack memory.",
                            details=str(error),
                        ) from error
                    running[task.remote(work, share)] = share
                    continue
                if isinstance(result, _Refusal):
                    raise result.error()
                number, _value = result
                running[stream] = [each for each in share if each[0] != number]
                yield result


class _Refusal:
    """An error in words: one with arguments of its own does not survive the way between processes."""

    def __init__(self, error: WorkbenchError) -> None:
        self._said = (error.kind, error.message, error.remedy, error.details)

    def error(self) -> WorkbenchError:
        kind, message, remedy, details = self._said
        found = WorkbenchError(message, remedy=remedy, details=details)
        found.kind = kind
        return found


def _told(work: Callable[[Any], Iterator[Any]], share: Any) -> Iterator[Any]:
    """What runs on a worker."""
    try:
        yield from work(share)
    except WorkbenchError as error:
        yield _Refusal(error)


def _all_there(left: Sequence[Numbered[Any]]) -> None:
    if left:
        raise WorkbenchError(f"A worker ended without results for {len(left)} of its items.")


def _unforeseen(error: Exception) -> WorkbenchError:
    return WorkbenchError("The work on a shard failed.", remedy="Look into the details.", details=str(error))
