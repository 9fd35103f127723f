"""Makes docs/accounts.md from what the providers declare: their options, secrets, and where recordings come from.

python tools/accounts_page.py           writes docs/accounts.md
python tools/accounts_page.py --check   fails when the page no longer says what is declared
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import tomlkit  # noqa: E402 - the checkout comes first

from providers import registry  # noqa: E402
from providers.declaring import Field, Option, ProviderInfo, SecretField, applies, read  # noqa: E402
from vault.options import COMMON  # noqa: E402

PAGE = ROOT / "docs" / "accounts.md"
NAMES = {"flexperto": "advice", "cronofy": "agents", "temasys": "rooms", "huawei": "calls", "proconf": "standup"}
"""The accounts of the examples; for a provider that is not here, its own name."""

INTRO = """# Accounts

Made by `python tools/accounts_page.py` from what the providers declare; a test fails when this page and they differ.
Do not edit it.

An account is one login at one service: a table `[accounts.NAME]` in `config.toml`. NAME has lower-case letters, digits
and `-`; it is the first part of every recording's identity, so it is not to be changed later.

    reeldesk account add NAME              asks for what is needed, field after field
    reeldesk account test NAME             what works and what does not, step by step
    reeldesk account list                  where each account leads, and what went wrong last; asks nobody
    reeldesk account remove NAME --yes     takes it out of config.toml; what was fetched stays (--forget-secrets)

Without a terminal `account add` takes everything at once: `--provider P`, options as `--set KEY=VALUE`, and for each
`--secret NAME` one line on stdin. Lists are typed with commas between (`--set rooms=a,b`), or as in config.toml
(`--set 'rooms=["a, b"]'`). Editing `config.toml` by hand does the same; comments and layout survive the commands. Only
what differs from the default is written. Two names that would share a secret's variable (`x` and `x-other`, where one
has an `other_api_key`) are refused.

## Secrets

Secrets never stand in `config.toml`, and never in arguments. Each one is looked for in this order; the first that has
it is used:

1. the variable `REELDESK_SECRET_ACCOUNT_NAME` (upper case, `-` as `_`); or `REELDESK_SECRET_ACCOUNT_NAME_FILE` with the
   path of a file that nobody else may read
2. systemd's credentials, under the variable's name (`LoadCredential=` or `LoadCredentialEncrypted=`)
3. the account's `password_command`: no shell, no terminal, 10 seconds; `{name}` in it becomes the secret's name
4. the system keyring
5. the sealed file `secrets.sealed` in the data folder, for machines without a keyring (a plain SSH login has none)

`reeldesk secret set ACCOUNT NAME` keeps one in the keyring, or else in the sealed file, which is made with a passphrase
of yours when there is none yet. `reeldesk secret list` looks each one up and says where it is, never what it is;
`secret move --to keyring|sealed` puts one into the other store, `secret forget` removes it. The sealed file is unlocked
in the desk, by `REELDESK_PASSPHRASE_FILE` (a file that nobody else may read; its first line), or by a line on stdin
with `--passphrase-stdin`, for those commands that have it.

## What a test tells

`account test` goes the way that the account would go, a line for each step: *configuration*, *name* (DNS),
*connection*, *TLS* (whose certificate, until when, why it is refused), *secrets* (where each comes from), *credential*
(the cheapest call that needs it), *rights* and *rest* where the answer proves or leaves open something, *clock* (beside
the service's `Date`). After a failure, what makes no sense any more is "not checked". The exit status is 1 when a step
failed; `--json` prints one object for each account with its `steps`. At Huawei the agent is signed in as busy and out
again; nobody who is signed in elsewhere is thrown out.

`verify = false` leaves the certificate unchecked: anyone in between can read along, the credential too. `account add`
wants its host typed for that (without a terminal: `--insecure-host HOST`), and the account is marked with
"TLS is not checked" for as long as it is so. A `ca_file` with the authority's certificate is the better way.

`reeldesk doctor` tests all accounts within some ten seconds, beside versions, terminal, places and stores. It tells no
secret and no part of one, and writes `~` for the home folder, so it can be pasted into a ticket; names of accounts
and hosts are in it. `--offline` leaves the tests out.
"""


def page() -> str:
    """The whole page."""
    lines = [INTRO.rstrip("\n")]
    for name in registry.names():
        lines += ["", *_provider(registry.info(name))]
    lines += [
        "",
        "## Any account",
        "",
        "Options that every account can have, whatever its service.",
        "",
        *_options(COMMON),
    ]
    return "\n".join(lines) + "\n"


def _provider(info: ProviderInfo) -> Iterable[str]:
    yield f"## {info.label} (`{info.name}`)"
    yield ""
    yield f"Kept as {', '.join(kind.value for kind in info.kinds)}, by {info.meeting_word}. Where recordings come from:"
    yield f"{_sentence(info.found_by)}"
    yield ""
    yield from _options(info.options)
    yield ""
    yield from _secrets(info.secrets)
    yield ""
    yield "For example:"
    yield ""
    yield "```toml"
    yield from _example(info)
    yield "```"


def _options(options: Iterable[Option]) -> Iterable[str]:
    yield "| option | what it is | default | such as |"
    yield "|---|---|---|---|"
    for option in options:
        words = _cell(f"{_sentence(option.words)}{_choices(option)}{_when(option)}")
        default = "**needed**" if option.required else _code(_as_toml(option, option.default))
        yield f"| `{option.name}` | {words} | {default} | {_code(_as_toml(option, read(option, option.example)))} |"


def _secrets(secrets: Iterable[SecretField]) -> Iterable[str]:
    yield "| secret | what it is | needed |"
    yield "|---|---|---|"
    for field in secrets:
        needed = "yes" if field.required else "one of them" if field.one_of else "no"
        yield f"| `{field.name}` | {_cell(_sentence(field.words) + _when(field))} | {needed} |"


def _example(info: ProviderInfo) -> Iterable[str]:
    name = NAMES.get(info.name, info.name)
    yield f"[accounts.{name}]"
    yield f'provider = "{info.name}"'
    for option in info.options:
        value = read(option, option.example)
        shown = not option.advanced and applies(option, {}, info.options) and value != option.default
        if option.required or (shown and option.kind != "choice") or (shown and not _base(info)):
            yield f"{option.name} = {_as_toml(option, value)}"


def _base(info: ProviderInfo) -> bool:
    return any(option.required for option in info.options)


def _as_toml(option: Option, value: object) -> str:
    if value is None or value in ("", (), []):
        return ""
    return str(tomlkit.item(list(value) if isinstance(value, tuple) else value).as_string())


def _choices(option: Option) -> str:
    return f" One of {', '.join(f'`{each}`' for each in option.choices)}." if option.choices else ""


def _when(field: Field) -> str:
    if field.when is None:
        return ""
    name, *values = field.when
    return f" Only with `{name}` = {' or '.join(f'`{value}`' for value in values)}."


def _sentence(words: str) -> str:
    if re.match(r"[\w-]+:", words):  # a value, which is written as it is
        return words.rstrip(".") + "."
    return words[0].upper() + words[1:].rstrip(".") + "."


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def main() -> int:
    """Write the page, or compare it."""
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, "utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text("utf-8") == text:
        return 0
    print("docs/accounts.md does not say what is declared: run python tools/accounts_page.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
