"""Work beside the screen, given as a function: a coroutine superseded before it starts is never awaited."""

from collections.abc import Callable, Coroutine
from typing import Any

from textual.dom import DOMNode
from textual.worker import Worker


def beside(
    node: DOMNode, work: Callable[[], Coroutine[Any, Any, None]], group: str, *, exclusive: bool = False
) -> None:
    """Do `work` in a worker of the node; `exclusive`: what still runs in its group is dropped.

    Its description is the group's name: Textual's own would be the repr of its arguments, in every log.
    """
    _: Worker[None] = node.run_worker(work, name=group, group=group, description=group, exclusive=exclusive)
