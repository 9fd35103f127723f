"""Who runs this process."""

import os
import pwd
import socket


def this_process() -> str:
    """user@host: the user that the process runs as (no variable can say another) and the machine's own name."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"
