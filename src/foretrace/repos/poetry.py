"""Poetry's tables of dependencies as requirements that pip understands.

requirement("requests", "^2.28")                                    # 'requests>=2.28,<3'
requirement("rich", {"version": "*", "python": ">=3.11"})           # 'rich; python_version >= "3.11"'
"""

import re
from collections.abc import Mapping


def requirement(name: str, value: object) -> str:
    """One dependency; of several constraints for several Pythons the first is taken, as a bound that pip can resolve."""
    if isinstance(value, list):
        value = value[0] if value else "*"
    if not isinstance(value, Mapping):
        return name + specifier(str(value))
    extras = value.get("extras")
    text = name + (f"[{','.join(map(str, extras))}]" if isinstance(extras, list) and extras else "")
    text += specifier(str(value.get("version", "*")))
    markers = [str(value["markers"])] if "markers" in value else []
    if isinstance(value.get("python"), str):
        bounds = specifier(value["python"]).split(",")
        markers += [re.sub(r"([<>=!~]+)(.*)", r'python_version \1 "\2"', bound) for bound in bounds if bound]
    return f"{text}; {' and '.join(markers)}" if markers else text


def specifier(text: str) -> str:
    """Poetry's `^1.2`, `~1.2`, `1.*` and `*` as PEP 440 has them; of alternatives the last, which is mostly the newest."""
    text = text.split("||")[-1]
    return ",".join(filter(None, (_bound(part.strip()) for part in re.split(r"[,\s](?=\s*[\^~<>=!\d*])", text))))


def _bound(text: str) -> str:
    match = re.fullmatch(r"(\^|~=|~|[<>=!]=?|===|)\s*([\w.*+!-]*)", text)
    if not match or not match[2] or match[2] == "*":
        return ""
    sign, version = match[1], match[2]
    numbers = [int(part) for part in re.findall(r"\d+", version.split("-")[0])]
    if sign == "^" and numbers:
        at = next((i for i, number in enumerate(numbers) if number), len(numbers) - 1)
        return f">={version},<{_next(numbers, at)}"
    if sign == "~" and numbers:
        return f">={version},<{_next(numbers, min(1, len(numbers) - 1))}"
    return f"{'==' if sign in ('', '=') else sign}{version}"


def _next(numbers: list[int], at: int) -> str:
    return ".".join(map(str, [*numbers[:at], numbers[at] + 1]))
