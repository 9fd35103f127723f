"""What config.toml holds beside the providers' own options, declared as those are."""

from providers import checks
from providers.declaring import Option
from vault import password_command

UNCHECKED = "TLS is not checked"
"""What stands wherever an account with verify = false is listed."""
DEFAULT_TEMPLATE = "{account}/{date}/{title} [{meeting}]/{kind}{variant}.{ext}"
COMMON = (
    Option(
        "password_command",
        "a command that prints a secret, word by word and without a shell; {name} in it becomes the secret's name",
        "texts",
        example="pass show reeldesk/{name}",
        separator=" ",
        check_all=password_command.check,
        advanced=True,
    ),
    Option(
        "ca_file",
        "a file of certificate authorities to trust for this account",
        example="company-ca.pem",
        label="CA file",
        advanced=True,
    ),
    Option(
        "verify",
        "false: the TLS certificate is not checked (anyone in between can read along)",
        "bool",
        True,
        example="true",
        label="Check TLS",
        advanced=True,
    ),
    Option("proxy", "an HTTP proxy for this account", "url", example="https://proxy.example:3128", advanced=True),
    Option(
        "allow_private",
        "exact origins in private networks to which links in answers and webhooks may lead, such as an object store "
        "of your own; they are judged by ca_file, and get no credential",
        "texts",
        example="https://10.0.0.9:9000",
        label="Private origins",
        check=checks.exact_origin,
        advanced=True,
    ),
    Option(
        "timeout_s",
        "seconds without a byte before a connection is given up",
        "number",
        30.0,
        example="30",
        label="Time-out (s)",
        check=checks.more_than_zero,
        advanced=True,
    ),
    Option(
        "poll_s",
        "seconds between syncs while the desk is open; 0: only by hand",
        "number",
        300.0,
        example="300",
        label="Sync every (s)",
        advanced=True,
    ),
    Option(
        "rate_per_s",
        "at most so many API requests a second",
        "number",
        example="5",
        label="Requests a second",
        advanced=True,
    ),
    Option(
        "max_bytes_per_s",
        "transfers of this account: at most so many bytes a second, together; 0: no limit",
        "integer",
        0,
        example="2000000",
        label="Bytes a second",
        advanced=True,
    ),
    Option(
        "auto_fetch",
        "true: whatever becomes available is fetched; by default where links run out",
        "bool",
        example="true",
        label="Fetch by itself",
        advanced=True,
    ),
    Option(
        "keep_days_at_service",
        "days after a meeting after which your own rules delete its recordings at the service: a deadline, unless the "
        "service states an earlier one; 0: no such rule",
        "number",
        0.0,
        example="30",
        label="Days kept there",
        check=checks.between(0, 36_500),
        advanced=True,
    ),
    Option(
        "spool",
        "a folder of saved deliveries (*.json with *.json.headers) that sync takes in",
        example="spool",
        advanced=True,
    ),
)
"""What any account can have, whatever its provider."""
_WORKERS = checks.between(1, 32)
VAULT = (
    Option("path", "where the recordings are kept", "text", "~/reeldesk"),
    Option("template", "how files are laid out there", "text", DEFAULT_TEMPLATE),
    Option("workers", "transfers at once, in all", "integer", 4, check=_WORKERS),
    Option("workers_per_account", "transfers at once, for one account", "integer", 2, check=_WORKERS),
    Option("max_bytes_per_s", "all transfers: at most so many bytes a second, together; 0: no limit", "integer", 0),
)
DESK = (
    Option(
        "on_leave",
        "transfers that run when the desk is left: ask, stop them, or hand_over to a process without a screen",
        "choice",
        "ask",
        choices=("ask", "stop", "hand_over"),
    ),
    Option(
        "last_frame",
        "false: what the list looked like when the desk was left is not kept for the next start",
        "bool",
        True,
    ),
)
TRIAGE = (
    Option(
        "grace_s",
        "seconds between asking for a release in the desk and telling the service, in which it can be undone",
        "number",
        600.0,
        check=checks.between(0, 30 * 86_400),
    ),
)
CUSTODY = (
    Option("timestamp_url", "who puts time stamps (RFC 3161) on custody packets; empty: nobody", "url", ""),
    Option("timestamp_ca", "a file with the certificates that its signatures must lead to", "text", ""),
)
RECEIVER = (
    Option("on", "true: webhooks are received while a desk is open or `reeldesk work` runs", "bool", False),
    Option("host", "the address of this machine to listen on", "text", "127.0.0.1"),
    Option("port", "the port to listen on", "integer", 8787, check=checks.between(1, 65_535)),
    Option("public_url", "how the services reach it from outside, through a reverse proxy", "url", ""),
    Option("tls_cert", "a file with the certificate (and its chain)", "text", ""),
    Option("tls_key", "the file with its private key, readable by its owner alone", "text", ""),
    Option(
        "trusted_proxies", "addresses or networks whose X-Forwarded-For is believed", "texts", [], check=checks.network
    ),
    Option("allow_plain", "true: plain HTTP on other addresses than loopback, too", "bool", False),
    Option(
        "rate_per_s", "at most so many requests a second from one source", "number", 2000.0, check=checks.more_than_zero
    ),
)
