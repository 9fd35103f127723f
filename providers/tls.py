"""TLS as every account uses it: 1.2 or newer, judged by the account's authorities or by this machine's own.

The environment has no say. `ssl.create_default_context` would trust whatever SSL_CERT_FILE and SSL_CERT_DIR name, and
write the keys of every connection to the file that SSLKEYLOGFILE names.
"""

import ssl
import sys
from pathlib import Path

from providers.base import AccountSettings, NotTrusted


def system_authorities() -> tuple[str | None, str | None]:
    """The file and the folder in which this machine's OpenSSL was made to look; None for one that is not there."""
    places = ssl.get_default_verify_paths()
    file, folder = places.openssl_cafile, places.openssl_capath
    return (file if Path(file).is_file() else None), (folder if Path(folder).is_dir() else None)


def context(ca_file: str | None = None) -> ssl.SSLContext:
    """A new context that checks names and certificates, which takes some 20 ms to make. Raises OSError (SSLError)."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        made.load_verify_locations(cafile=ca_file)
    elif sys.platform == "win32":  # they are in the system's stores
        made.load_default_certs()
    else:
        file, folder = system_authorities()
        if file or folder:
            made.load_verify_locations(cafile=file, capath=folder)
    return made


def context_of(settings: AccountSettings, *, verify: bool) -> ssl.SSLContext:
    """The same, as the account has it. Raises NotTrusted for a ca_file that cannot be used."""
    try:
        made = context(settings.ca_file)
    except ssl.SSLError:
        raise NotTrusted(f"ca_file {settings.ca_file} holds no certificate (PEM)") from None
    except OSError as error:
        raise NotTrusted(f"ca_file {settings.ca_file}: {error.strerror or error}") from None
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made
