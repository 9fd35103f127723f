"""What kind of file system a place lies on. SQLite's WAL needs memory that is shared, which a network's cannot give.

Linux alone tells: /proc/self/mountinfo and fdinfo, see proc_pid_mountinfo(5) and proc_pid_fdinfo(5).
"""

import os
from pathlib import Path

_NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs",
    "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "pvfs2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs",
}  # fmt: skip
"""Those of other machines, clusters, and of the host that a virtual machine runs on."""
_NETWORK_FUSE = {
    "ceph", "ceph-fuse", "curlftpfs", "davfs", "gcsfuse", "glusterfs", "goofys", "grpcfuse", "gvfsd-fuse", "juicefs",
    "osxfs", "rclone", "s3fs", "seaweedfs", "smbnetfs", "sshfs", "vmhgfs-fuse",
}  # fmt: skip
"""The same among programs that are file systems: `fuse.NAME`. Other ones (gocryptfs, ntfs-3g) lie on this machine."""


def is_network(kind: str) -> bool:
    """Whether a kind of file system, as the kernel names it, is one over a network."""
    family, _, program = kind.partition(".")
    return kind in _NETWORK or (family == "fuse" and program in _NETWORK_FUSE)


def kind_in(mountinfo: str, mount: int) -> str:
    """The kind of the mount with that number, as in the lines of /proc/self/mountinfo; "" when it is not in there."""
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")  # optional fields stand before it, as many as there are
        if dash and before.partition(" ")[0] == str(mount):
            return after.partition(" ")[0]
    return ""


def mount_in(fdinfo: str) -> int | None:
    """The number of the mount that an open file lies on, as in /proc/self/fdinfo/N; None when it does not say."""
    for line in fdinfo.splitlines():
        name, _, value = line.partition(":")
        if name == "mnt_id" and value.strip().isdecimal():
            return int(value)
    return None


def network_kind(path: Path) -> str:
    """The kind of network file system that a file or folder lies on ("nfs4"); "" for this machine's own, or unknown.

    What is not there yet is judged by the folder that it would be made in. Blocks as long as a dead server lets one
    wait. Raises nothing.
    """
    try:
        return _network_kind(path)
    except (OSError, ValueError):
        return ""


def _network_kind(path: Path) -> str:
    for place in (path, *path.absolute().parents):
        try:
            # Of the kernel itself: mounts may hide each other, and links lead elsewhere.
            descriptor = os.open(place, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except AttributeError:  # no Linux
            return ""
        try:
            mount = mount_in(Path(f"/proc/self/fdinfo/{descriptor}").read_text("utf-8", "replace"))
        finally:
            os.close(descriptor)
        kind = kind_in(Path("/proc/self/mountinfo").read_text("utf-8", "replace"), mount) if mount is not None else ""
        return kind if is_network(kind) else ""
    return ""
