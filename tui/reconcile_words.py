"""Service, ledger and disk side by side, in words with a sign each. Without Textual, so that commands have them too."""

from collections.abc import Mapping

from vault.side_by_side import Difference, Remedy

SIGNS: Mapping[Difference, str] = {
    Difference.EQUAL: "=",
    Difference.MISSING_HERE: "<",
    Difference.GONE_THERE: ">",
    Difference.DIFFERS: "!",
    Difference.UNKNOWN: "?",
    Difference.STRAY: "+",
    Difference.LEFT_OVER: "~",
}
"""ASCII, so that every terminal has them; the word always stands beside."""
REMEDIES: Mapping[Remedy, str] = {
    Remedy.NONE: "",
    Remedy.FETCH: "fetch it",
    Remedy.VERIFY: "read it again",
    Remedy.FORGET: "forget it",
    Remedy.ADOPT: "compare and adopt it",
    Remedy.REMOVE: "remove it",
}


def difference_words(difference: Difference) -> str:
    """`< missing here`."""
    return f"{SIGNS[difference]} {difference}"


def counts_words(counts: Mapping[Difference, int]) -> str:
    """`= 120 equal, < 3 missing here`: only what there is; equal always."""
    shown = [each for each in Difference if counts.get(each) or each is Difference.EQUAL]
    return ", ".join(f"{SIGNS[each]} {counts.get(each, 0)} {each}" for each in shown)
