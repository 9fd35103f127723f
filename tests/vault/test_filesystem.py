"""Which places lie on a network, by what the kernel says of its mounts."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault import filesystem
from vault.filesystem import is_network, kind_in, mount_in, network_kind

# As proc_pid_mountinfo(5) has it: with one optional field, with none, with several, and with blanks as \040.
MOUNTS = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard
36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
40 27 0:50 / /home rw - nfs4 server:/home rw,vers=4.2,addr=10.0.0.1
41 27 0:51 / /mnt/a\040-\040nfs rw shared:5 master:6 propagate_from:2 unbindable - cifs //server/a\040b rw
42 27 0:52 / /mnt/ssh rw,nosuid - fuse.sshfs me@server:/ rw,user_id=0
43 27 0:53 / /mnt/crypt rw - fuse.gocryptfs /home/me/crypt rw
44 27 0:54 / /mnt/c rw - 9p C:\134 rw,aname=drvfs
4 27 0:55 / /mnt/d rw - btrfs /dev/vdb rw
"""


@pytest.mark.parametrize(
    ("mount", "kind"),
    [
        *((22, "proc"), (27, "ext4"), (36, "ext3"), (40, "nfs4"), (41, "cifs"), (42, "fuse.sshfs")),
        *((43, "fuse.gocryptfs"), (44, "9p"), (4, "btrfs"), (2, ""), (0, ""), (-1, "")),
    ],
)
def test_the_kind_of_a_mount(mount: int, kind: str) -> None:
    assert kind_in(MOUNTS, mount) == kind


@pytest.mark.parametrize(
    ("fdinfo", "mount"),
    [
        ("pos:\t0\nflags:\t012000000\nmnt_id:\t27\nino:\t5308417\n", 27),
        ("pos:\t0\nflags:\t0\n", None),
        ("mnt_id:\tx\n", None),
        ("mnt_id:", None),
        ("", None),
    ],
)
def test_the_mount_of_an_open_file(fdinfo: str, mount: int | None) -> None:
    assert mount_in(fdinfo) == mount


@given(st.text(st.sampled_from("0127 -\n:/af.nsmid_\t")), st.integers(-1, 30))
def test_whatever_the_kernel_writes_is_read(text: str, mount: int) -> None:
    kind = kind_in(text, mount)
    assert " " not in kind
    assert kind == "" or f"- {kind}" in text
    assert mount_in(text) is None or f"mnt_id:{mount_in(text)}" in text.replace("\t", "").replace(" ", "")


def test_what_is_a_network() -> None:
    for kind in ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "fuse.rclone", "virtiofs", "afs"):
        assert is_network(kind), kind
    for kind in ("", "ext4", "btrfs", "xfs", "zfs", "tmpfs", "overlay", "fuseblk", "fuse", "fuse.gocryptfs", "sshfs"):
        assert not is_network(kind), kind


def test_a_place_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "closed").mkdir(mode=0o000)
    (tmp_path / "away").symlink_to(tmp_path / "nowhere")
    for place in (tmp_path, tmp_path / "file", tmp_path / "file" / "under", tmp_path / "closed", tmp_path / "a" / "b"):
        assert network_kind(place) == ""
    assert network_kind(tmp_path / "away" / "x") == ""
    assert network_kind(Path("relative/and/not/there")) == ""
    assert network_kind(Path("/nul\0byte")) == ""


def test_a_place_on_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's own words about this folder's mount, but for its kind."""
    told = kind_in(Path("/proc/self/mountinfo").read_text(), mount_of(tmp_path))
    assert told
    monkeypatch.setattr(filesystem, "kind_in", lambda text, mount: kind_in(text, mount).replace(told, "nfs4"))
    assert network_kind(tmp_path / "not" / "there" / "yet") == "nfs4"
    monkeypatch.delattr(os, "O_PATH")
    assert network_kind(tmp_path) == ""  # no Linux


def mount_of(place: Path) -> int:
    descriptor = os.open(place, os.O_PATH)
    try:
        found = mount_in(Path(f"/proc/self/fdinfo/{descriptor}").read_text())
    finally:
        os.close(descriptor)
    assert found is not None
    return found


def test_no_file_is_left_open(tmp_path: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(5):
        network_kind(tmp_path)
    assert sorted(os.listdir("/proc/self/fd")) == before
