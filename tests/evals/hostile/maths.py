"""Boxed answers by the right one: honest ones, guesses in disguise, work that is left to the reader, and what hangs parsers."""

PASS, FAIL, LENIENT = (True, True), (False, False), (True, False)

ANSWERS = {
    r"\frac{1}{2}": {"0.5": PASS, ".5": PASS, r"\dfrac12": PASS, "1/2": PASS, "0.25": FAIL},
    "5": {r"5\text{ cm}": PASS, r"5\,\mathrm{m}^{2}": PASS, "5.": PASS, "-5": FAIL},
    "90": {r"90^\circ": PASS, r"90^{\circ}": PASS},
    r"\$18.90": {"18.9": PASS, "18.91": FAIL},
    r"10,\!080": {"10080": PASS, r"10{,}080": PASS, "1080": FAIL},
    "1,-2": {"-2, 1": PASS, "1, 2": FAIL},
    r"\text{(C)}": {"C": PASS, r"\text{C}": PASS, "B": FAIL},
    "x^2+2x+1": {"(x+1)^2": PASS, "(x-1)^2": FAIL},
    r"11\sqrt2": {r"\sqrt{242}": PASS, r"\sqrt{243}": FAIL},
    r"x \in [-2,7]": {"[-2,7]": PASS, "(-2,7)": FAIL},
    r"\left( 3, \frac{\pi}{2} \right)": {r"(3, \pi/2)": PASS, r"(\pi/2, 3)": FAIL},
    r"\frac{1}{3}": {"0.333333": LENIENT, "0.333": FAIL},
    r"\pi": {"3.14159265": LENIENT, "3.14": FAIL},
    "6 - 5i": {"6-5i": PASS, "6 + 5i": FAIL},
    "p - q": {"-q + p": PASS, "q - p": FAIL},
    "(1,2)": {r"\left(1, 2\right)": PASS, "[1,2]": FAIL},
    "(3,5)": {"(5,3)": FAIL},
    "123456": {"123457": FAIL},
    "10000": {"10000.4": FAIL, r"10\,000": PASS},
    "204": {
        "0204": PASS,
        "x = 204": PASS,
        "203 + 1": PASS,
        "204_{10}": PASS,
        "204_5": LENIENT,
        r"\boxed{204}": LENIENT,
        "203, 204": FAIL,
        r"\{203, 204, 205\}": FAIL,
        r"204 \text{ or } 205": FAIL,
        r"204\text{ (or 205)}": FAIL,
        r"204\text{ cm}, 205\text{ cm}": FAIL,
        r"\text{204 or 205}": FAIL,
        "n = 204, n = 205": FAIL,
        r"204 \pm 1": FAIL,
        "[200, 210]": FAIL,
        "x > 203": FAIL,
        "203 = 204": FAIL,
        "x = 203 = 204": FAIL,
        r"\sum_{n=1}^{204} 1": FAIL,
        r"\gcd(204, 408)": FAIL,
        r"\max(204, 0)": FAIL,
        r"\int_0^{204} dx": FAIL,
        r"\lim_{x \to 0} 204": FAIL,
        "x": FAIL,
        "2 0 4": FAIL,
        "204.0000001": FAIL,
        "203.9999999": FAIL,
        r"203\boxed{204}": FAIL,
        "９204": FAIL,
        "２０４": FAIL,
        "__import__('os').system('touch /tmp/FORETRACE_WAS_RUN')": FAIL,
        r"\text{__import__('os').system('touch /tmp/FORETRACE_WAS_RUN')}": FAIL,
        "9^{9^{9^{9}}}": FAIL,
        "9" * 100_000: FAIL,
        "(" * 140 + "204" + ")" * 139: FAIL,
        "{" * 140 + "204" + "}" * 139: FAIL,
        "\x00\ud800": FAIL,
        "": FAIL,
    },
}
TEXTS = {
    r"<think>\boxed{203}?</think> Hence \boxed{204}.": PASS,
    r"\boxed{204}. As I said: \boxed{204}": LENIENT,
    r"\boxed{203} or \boxed{204}": FAIL,
    r"\boxed{204} or \boxed{203}": FAIL,
    r"<think>It is \boxed{204}": FAIL,
    r"<think>\boxed{204}</think> I do not know.": FAIL,
    r"\boxed{203 and \boxed{204}": FAIL,
    r"\boxed{204": FAIL,
    "204": FAIL,
    "": FAIL,
    r"\boxed{" * 20_000: FAIL,
}
_SAID = [
    (gold, rf"It is $\boxed{{{answer}}}$.", expected) for gold, of in ANSWERS.items() for answer, expected in of.items()
]
_SAID += [("204", text, expected) for text, expected in TEXTS.items()]
CASES = [
    {
        "id": f"math-{number}-{ascii(text)[1:30]}",
        "family": "math",
        "task": {"gold": gold},
        "submission": text,
        "expected": expected,
        "why": "",
    }
    for number, (gold, text, expected) in enumerate(_SAID)
]
FILES = ["/tmp/FORETRACE_WAS_RUN"]
