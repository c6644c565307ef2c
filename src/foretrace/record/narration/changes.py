"""What happened to a value that a statement changed, in words: which item, which key, which attribute.

describe("words", "['a']", "['a', 'b']", voice)      # "words gains 'b' at the end, which makes it ['a', 'b']"
"""

from collections.abc import Sequence
from typing import Any

from foretrace.record.narration.texts import attributes, exact_literal
from foretrace.record.narration.voice import Voice

_MAX_CHANGES = 2
"""Of more items, keys or attributes than this nobody wants to hear one by one."""

_ROOMY = 60
"""Characters of a value from which on there is room for more than the change."""


def describe(name: str, before: str, after: str, voice: Voice, *, in_full: bool = True) -> str:
    """One clause that says how `name` went from `before` to `after`; it is about the object, not about an assignment.

    `in_full`: where only a part has changed, the whole may be quoted too.
    """
    told = detail(name, before, after, voice)
    if told is None:
        return becomes(name, before, after, voice)
    is_long = len(after) > voice.detail.value // 2 or voice.detail.value < _ROOMY
    if not in_full or is_long or not told.startswith((f"{name} gains", f"{name} loses")) or " and " in told:
        return told
    return told + voice.pick(f", which makes it {after}", f" and is now {after}", "", "")


def becomes(name: str, before: str | None, after: str, voice: Voice) -> str:
    """One clause that says what `name` is now."""
    now = voice.value(after)
    if before is None:
        return voice.pick(f"{name} becomes {now}", f"{name} is set to {now}", f"{name} is now {now}")
    was = voice.value(before)
    return voice.pick(
        f"{name} becomes {now} (was {was})",
        f"{name} goes from {was} to {now}",
        f"{name} changes from {was} to {now}",
        f"{name} becomes {now}",
    )


def detail(name: str, before: str, after: str, voice: Voice) -> str | None:
    """The clause for a change of a few parts; `None` if it is no such change."""
    if before.startswith("<") and after.startswith("<"):
        return _of_object(name, before, after, voice)
    old, new = exact_literal(before), exact_literal(after)
    if type(old) is not type(new) or not isinstance(new, list | dict | set):
        return None
    if old and not new:
        return f"{name} is emptied"
    if isinstance(old, list) and isinstance(new, list):
        if len(old) > _MAX_CHANGES and _is_sorted_from(old, new):
            return f"{name} is sorted: it is now {voice.value(after)}"
        return _of_list(name, [repr(x) for x in old], [repr(x) for x in new], voice)
    if isinstance(old, dict) and isinstance(new, dict):
        return _of_mapping(name, _texts(old), _texts(new), voice, "[{}]")
    if isinstance(old, set) and isinstance(new, set):
        return _of_set(name, {repr(x) for x in old}, {repr(x) for x in new}, voice)
    return None


def _is_sorted_from(old: list[Any], new: list[Any]) -> bool:
    """Whether the items have been put in ascending order, and in no other that would be worth a name."""
    try:
        return len(old) == len(new) and [repr(x) for x in sorted(old)] == [repr(x) for x in new] and old != new
    except TypeError:
        return False


def _texts(value: dict[object, object]) -> dict[str, str]:
    return {repr(k): repr(v) for k, v in value.items()}


def _of_list(name: str, old: list[str], new: list[str], voice: Voice) -> str | None:
    common = min(len(old), len(new))
    if len(new) != len(old):
        longer, shorter = (new, old) if len(new) > len(old) else (old, new)
        at_end, at_front = longer[:common] == shorter, longer[len(longer) - common :] == shorter
        if not at_end and not at_front:
            return _in_the_middle(name, old, new, voice)
        parts = longer[common:] if at_end else longer[: len(longer) - common]
        place = "" if at_end and at_front else "end" if at_end else "front"  # equal items do not tell where
        return f"{name} {_gained(parts, place, voice) if longer is new else _lost(parts, place, voice)}"
    changed = [i for i in range(common) if old[i] != new[i]]
    if len(changed) > _MAX_CHANGES:
        return (
            f"the order of {name} is reversed: it is now {voice.value('[' + ', '.join(new) + ']')}"
            if new == old[::-1]
            else None
        )
    return voice.series_of_clauses([_part(f"{name}[{i}]", old[i], new[i], voice) for i in changed]) or None


def _in_the_middle(name: str, old: list[str], new: list[str], voice: Voice) -> str | None:
    """One run of items has come or gone between others."""
    start = next(i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b)
    longer, shorter = (new, old) if len(new) > len(old) else (old, new)
    run = len(longer) - len(shorter)
    if longer[start + run :] != shorter[start:]:
        return None
    parts = longer[start : start + run]
    return f"{name} {'gains' if longer is new else 'loses'} {_listed(parts, voice)} at index {start}"


def _gained(parts: list[str], place: str, voice: Voice) -> str:
    return f"gains {_listed(parts, voice)}" + (f" at the {place}" if place else "")


def _lost(parts: list[str], place: str, voice: Voice) -> str:
    if not place:
        return f"loses {_listed(parts, voice)}"
    items = "item" if len(parts) == 1 else f"{len(parts)} items"
    return f"loses its {'last' if place == 'end' else 'first'} {items}, {_listed(parts, voice)}"


def _of_set(name: str, old: set[str], new: set[str], voice: Voice) -> str | None:
    gained, lost = sorted(new - old), sorted(old - new)
    if gained and not lost:
        return f"{name} gains {_listed(gained, voice)}"
    if lost and not gained:
        return f"{name} loses {_listed(lost, voice)}"
    return None


def _of_mapping(name: str, old: dict[str, str], new: dict[str, str], voice: Voice, part: str) -> str | None:
    """Of a dictionary or of the attributes of an object; `part` says how one is written."""
    gained = [key for key in new if key not in old]
    lost = [key for key in old if key not in new]
    changed = [key for key in new if key in old and new[key] != old[key]]
    if not 0 < len(gained) + len(lost) + len(changed) <= _MAX_CHANGES:
        return None
    clauses = []
    for key in gained:
        place, value = part.format(voice.value(key)), voice.value(new[key])
        of_key = f"{name} gains the key {voice.value(key)} with the value {value}"
        clauses.append(of_key if part == "[{}]" and voice.flips() else f"{name}{place} becomes {value}")
    for key in lost:
        what = "the key" if part == "[{}]" else "the attribute"
        clauses.append(f"{name} loses {what} {voice.value(key)} (it was {voice.value(old[key])})")
    clauses += [_part(name + part.format(voice.value(key)), old[key], new[key], voice) for key in changed]
    return voice.series_of_clauses(clauses)


def _of_object(name: str, before: str, after: str, voice: Voice) -> str | None:
    (old_head, old), (new_head, new) = attributes(before), attributes(after)
    if not new_head or old_head != new_head:
        return None
    return _of_mapping(name, old, new, voice, ".{}")


def _part(name: str, before: str, after: str, voice: Voice) -> str:
    told = detail(name, before, after, voice)
    return told or f"{name} goes from {voice.value(before)} to {voice.value(after)}"


def _listed(texts: Sequence[str], voice: Voice) -> str:
    return voice.enumeration([voice.value(text) for text in texts])
