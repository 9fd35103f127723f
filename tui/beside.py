"""Work beside the screen, given as a function: a coroutine superseded before it starts is never awaited."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from textual.css.query import NoMatches
from textual.dom import DOMNode
from textual.worker import Worker


def beside(
    node: DOMNode, work: Callable[[], Coroutine[Any, Any, None]], group: str, *, exclusive: bool = False
) -> None:
    """Do `work` in a worker of the node; `exclusive`: what still runs in its group is dropped.

    Its description is the group's name: Textual's own would be the repr of its arguments, in every log.
    """
    done = partial(_while_there, node, work)
    _: Worker[None] = node.run_worker(done, name=group, group=group, description=group, exclusive=exclusive)


async def _while_there(node: DOMNode, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        await work()
    except NoMatches:
        if not is_going(node):
            raise


def is_going(node: DOMNode) -> bool:
    """Whether the application, or the node, is being taken down: its widgets go one by one, before its workers."""
    # Private, and held by a test: Textual tells in no public place that a screen was popped.
    return not node.app.is_running or bool(getattr(node, "_pruning", False))
