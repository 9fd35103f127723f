"""The public tools, as a person would call them to bring the same files home."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.results import Workload
from tests.bench.workloads import AT_ONCE

_ONE = {
    "curl -o": "curl -sSf {curl_ca} -o {out} {url}",
    "curl && sha256sum": "curl -sSf {curl_ca} -o {out} {url} && sha256sum {out}",
    "curl && openssl dgst": "curl -sSf {curl_ca} -o {out} {url} && openssl dgst -sha256 {out}",
    "wget2": "wget2 --no-config -q {wget2_ca} -O {out} {url}",
    "aria2c -x1": "aria2c --no-conf -q {aria2_ca} -x1 -d {folder} -o {name} {url}",
    "aria2c -x4": "aria2c --no-conf -q {aria2_ca} -x4 -s4 -d {folder} -o {name} {url}",
    "aria2c --checksum": "aria2c --no-conf -q {aria2_ca} -x1 --checksum=sha-256={sha256} -d {folder} -o {name} {url}",
    "rclone copyurl": "rclone --config= {rclone_ca} copyurl {url} {out}",
}
_CURL_MANY = "curl -sSf -Z --parallel-max {jobs} {curl_ca} --create-dirs --output-dir {folder} -O {base}/{glob}"
_MANY = {
    "curl -Z": _CURL_MANY,
    "curl -Z && sha256sum": f"{_CURL_MANY} && cd {{folder}} && sha256sum *",
    "curl -Z && openssl dgst": f"{_CURL_MANY} && cd {{folder}} && openssl dgst -sha256 *",
    "wget2 --max-threads=8": "wget2 --no-config -q --max-threads={jobs} {wget2_ca} -P {folder} -i {urls}",
    "aria2c -j8": "aria2c --no-conf -q -j{jobs} {aria2_ca} -d {folder} -i {urls}",
    "rclone copy": (
        "rclone --config= {rclone_ca} copy --transfers {jobs} --no-traverse --files-from {names} "
        "--http-url {base} :http: {folder}"
    ),
}
_CA = {
    "curl_ca": "--cacert {ca}",
    "wget2_ca": "--ca-certificate={ca}",
    "aria2_ca": "--ca-certificate={ca}",
    "rclone_ca": "--ca-cert {ca}",
}


@dataclass(frozen=True, slots=True)
class Places:
    """Where a tool finds and puts things. The lists are files: a URL, or a name, a line."""

    base: str
    folder: Path
    ca_file: Path
    urls: Path
    names: Path


def lines(workload: Workload, places: Places, digests: Mapping[str, str]) -> dict[str, str]:
    """A shell line for each tool that this workload is compared with; none for those that only measure ourselves."""
    if workload.group in ("memory", "ticks"):
        return {}
    return _filled(_MANY if workload.files > 1 else _ONE, workload, places, digests)


def beside(workload: Workload, places: Places) -> str:
    """The line whose process stands for the same load outside of ours."""
    return _filled({"curl -Z": _CURL_MANY}, workload, places, {})["curl -Z"]


def _filled(
    templates: Mapping[str, str], workload: Workload, places: Places, digests: Mapping[str, str]
) -> dict[str, str]:
    name = workload.names[0]
    quoted = {
        "url": f"{places.base}/{name}",
        "base": places.base,
        "glob": f"[{name.removesuffix('.mp4')}-{workload.names[-1].removesuffix('.mp4')}].mp4",
        "name": name,
        "out": str(places.folder / name),
        "folder": str(places.folder),
        "urls": str(places.urls),
        "names": str(places.names),
        "sha256": digests.get(name, ""),
        "jobs": str(AT_ONCE),
    }
    values = {key: shlex.quote(value) for key, value in quoted.items()}
    ca = shlex.quote(str(places.ca_file))
    values |= {key: option.format(ca=ca) if workload.tls else "" for key, option in _CA.items()}
    return {tool: " ".join(template.format_map(values).split()) for tool, template in templates.items()}


def shown() -> dict[str, str]:
    """Every line with words in the place of addresses and paths, for the page; the authority's option is left out."""
    words = dict.fromkeys(_CA, "") | {"jobs": str(AT_ONCE), "glob": "[FIRST-LAST].mp4"}
    every = ("url", "base", "name", "out", "folder", "urls", "names", "sha256")
    words |= {key: key.upper() for key in every}
    return {tool: " ".join(template.format_map(words).split()) for tool, template in (_ONE | _MANY).items()}
