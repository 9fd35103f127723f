"""A server's certificate in words: whose it is, by whom, for which names and how long; and why TLS refuses it.

A certificate is hostile input until it is trusted: nothing here raises for one, and every text of it is made harmless.
"""

import hashlib
import ssl
import warnings
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning
from msgspec import Struct

from providers.text import safe_text

SOON = timedelta(days=14)
"""A certificate that ends within this time is worth a warning."""
NAMES_SHOWN = 6
_LENGTH = 120

_ENDED, _NOT_BEGUN, _SELF_SIGNED = 10, 9, 18
_UNKNOWN_AUTHORITY = frozenset({2, 19, 20, 21, 24})
_OTHER_NAME = frozenset({62, 64})
_TOO_WEAK = frozenset({66, 67, 68})
"""OpenSSL's X509_V_ERR_* numbers."""


class Certificate(Struct, frozen=True):
    """What a certificate says; texts are harmless lines, times in UTC."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    begins: datetime
    ends: datetime
    fingerprint: str
    """SHA-256 of the whole certificate, as openssl and browsers show it."""


def read(der: bytes | None) -> Certificate | None:
    """Read a certificate; None for one that is none or cannot be understood."""
    if not der:
        return None
    try:
        with warnings.catch_warnings():  # about a certificate's oddities, onto a screen that is being drawn
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            found = x509.load_der_x509_certificate(der)
            return Certificate(
                subject=safe_text(found.subject.rfc4514_string(), _LENGTH),
                issuer=safe_text(found.issuer.rfc4514_string(), _LENGTH),
                names=_names(found),
                begins=found.not_valid_before_utc,
                ends=found.not_valid_after_utc,
                fingerprint=hashlib.sha256(der).digest().hex(":").upper(),
            )
    except (ValueError, x509.InvalidVersion):
        return None


def _names(found: x509.Certificate) -> tuple[str, ...]:
    try:
        listed = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return ()
    dns = listed.get_values_for_type(x509.DNSName)
    addresses = listed.get_values_for_type(x509.IPAddress)
    return tuple(safe_text(name, _LENGTH) for name in (*dns, *addresses))


def described(found: Certificate | None, now: datetime) -> str:
    """Whose certificate it is, who issued it, for which names, and how long it is valid."""
    if found is None:
        return "a certificate that cannot be read"
    left = f"{(found.ends - now).days} days left" if found.ends >= now else f"ended {(now - found.ends).days} days ago"
    subject = f"certificate of {found.subject}" if found.subject else "certificate"
    return (
        f"{subject}, issued by {found.issuer or 'an authority without a name'}, for {_names_in_words(found)}, "
        f"valid from {found.begins:%Y-%m-%d} until {found.ends:%Y-%m-%d} ({left})"
    )


def _names_in_words(found: Certificate) -> str:
    more = len(found.names) - NAMES_SHOWN
    return ", ".join(found.names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "") or "no name"


def why_refused(
    error: ssl.SSLCertVerificationError, found: Certificate | None, host: str, now: datetime, authorities: str
) -> str:
    """Why a certificate is refused, and what to do. `authorities`: those that were asked, in words."""
    code = error.verify_code
    clock = f"this machine's clock says {now:%Y-%m-%d %H:%M} UTC"
    if code == _ENDED:
        whose = "it" if found and found.ends < now else "one that it depends on"
        return f"{whose} has expired; whoever runs the service must renew it ({clock}: if that is wrong, set it)"
    if code == _NOT_BEGUN:
        whose = "it" if found and found.begins > now else "one that it depends on"
        return f"{whose} is not valid yet; {clock}: if that is wrong, set it"
    if code == _SELF_SIGNED:
        print_ = f" (SHA-256 {found.fingerprint})" if found else ""
        return (
            f"it is self-signed, and {authorities} do not hold it: compare its fingerprint{print_} with whoever runs "
            "the service, save the certificate (PEM) and name the file as ca_file"
        )
    if code in _UNKNOWN_AUTHORITY:
        who = found.issuer if found and found.issuer else "its issuer"
        return (
            f"{authorities} do not know {who}: get that authority's certificate (PEM) from whoever runs the service "
            "and name the file as ca_file; or the server does not send the certificates in between"
        )
    if code in _OTHER_NAME:
        names = _names_in_words(found) if found else "other names"
        return f"it is not for {host} but for {names}: is base_url right? Otherwise somebody else is answering"
    if code in _TOO_WEAK:
        return f"its key or signature is too weak ({error.verify_message}); whoever runs the service must renew it"
    return safe_text(error.verify_message) or "the reason is not told"
