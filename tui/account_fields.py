"""What a field of an account's form is for, in lines. Pure."""

from collections.abc import Mapping

from providers.declaring import Option, ProviderInfo, SecretField
from tui.account_form import HOST, NAME, Entry
from tui.describe import fields, words
from tui.label import plain
from tui.widgets.lines import Row
from vault.options import UNCHECKED

LEAVE_EMPTY = "leave empty to keep"


def entry_rows(entry: Entry | None, info: ProviderInfo, kept: Mapping[str, str], width: int) -> list[Row]:
    """What the field with the focus is for."""
    if entry is None:
        return words(f"{info.label}: {info.found_by}", width, "dim")
    option, each = entry.option, entry.field
    # As config.toml calls it, where the label does not say so already.
    told = entry.id in (NAME, HOST) or each.name == each.label.lower().replace(" ", "_")
    name = "" if told else each.name
    rows = [Row(((plain(each.label), "strong"), (f"  {name}", "dim")))]
    rows += words(f"{each.words}.", width)
    if option is not None:
        rows += fields(_about_option(entry, option), width)
    elif isinstance(each, SecretField):
        rows += fields(_about_secret(each, kept), width)
    if entry.id == NAME:
        rows += words(f"{info.label}: {info.found_by}.".replace("..", "."), width, "dim")
    if each.name == "verify":
        rows += words(f"Without the tick: {UNCHECKED}. A ca_file is nearly always the better way.", width, "warn")
    return rows


def _about_option(entry: Entry, option: Option) -> list[tuple[str, str]]:
    if entry.choices:
        return [("choose", "left and right, or space")]
    if entry.ticked:
        return [("change", "space or enter")]
    several = "with commas between them" if option.separator == "," else "words, as in a shell"
    return [("such as", option.example), ("several", several if option.kind == "texts" else "")]


def _about_secret(each: SecretField, kept: Mapping[str, str]) -> list[tuple[str, str]]:
    where = kept.get(each.name, "")
    return [
        ("is now", where or "not set"),
        ("shown", "never; it is kept in the system keyring or the sealed file"),
        ("needed", "yes" if each.required else "one of them" if each.one_of else "no"),
    ]


def placeholder(entry: Entry, kept: Mapping[str, str]) -> str:
    """What stands in an empty field."""
    option = entry.option
    if option is not None:
        return f"such as {option.example}" if option.example else ""
    where = kept.get(entry.field.name, "")
    return f"{where}: {LEAVE_EMPTY}" if where else "not set"
