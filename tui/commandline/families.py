"""Every command of the command line, in the order of its help."""

from tui.commandline import (
    account,
    agents,
    catchup,
    custody,
    demo,
    doctor,
    fetching,
    flagging,
    keeping_secrets,
    listening,
    listing,
    notify,
    reconciling,
    releasing,
    risking,
    syncing,
    undoing,
    verifying,
    working,
)
from tui.commandline.arguments import Commands

_FAMILIES = (
    demo,
    syncing,
    listing,
    risking,
    fetching,
    verifying,
    reconciling,
    releasing,
    flagging,
    undoing,
    custody,
    catchup,
    notify,
    agents,
    account,
    keeping_secrets,
    working,
    listening,
    doctor,
)


def add(commands: Commands) -> None:
    """All of them."""
    for family in _FAMILIES:
        family.add(commands)
