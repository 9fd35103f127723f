"""A person's own keys: what is wrong with them."""

from collections.abc import Iterable, Mapping

from tui.commands import BY_ID, EVERYWHERE, OVER, Command, keys_of, on, spoken


def keymap_problems(keymap: Mapping[str, str]) -> tuple[str, ...]:
    """What is wrong with a person's keymap, in words: unknown ids, and keys that two commands would share."""
    problems = [f"no command is called {name!r}" for name in keymap if name not in BY_ID]
    for place in sorted(EVERYWHERE | OVER):
        problems += _clashes(place, (*on(place), *on("list")), keymap)
    return tuple(dict.fromkeys(problems))


def _clashes(place: str, commands: Iterable[Command], keymap: Mapping[str, str]) -> list[str]:
    taken: dict[str, str] = {}
    problems = []
    for command in commands:
        for key in keys_of(command, keymap).split(","):
            name = key.strip()
            if name and taken.setdefault(name, command.id) != command.id and not _nested(taken[name], command.id):
                problems.append(f"on {place}, {spoken(name)} is both {taken[name]} and {command.id}")
    return problems


def _nested(one: str, other: str) -> bool:
    # Enter edits the form only where no list has the cursor: the list's own binding comes first.
    return {one, other} == {"move.open", "form.edit"}
