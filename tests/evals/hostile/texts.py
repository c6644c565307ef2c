"""Programs with standard input, and answers in text: name, submission, whether it passes officially and strictly."""

PASS, FAIL, LENIENT = (True, True), (False, False), (True, False)
STDIN = {"tests": [{"input": f"{n}\n", "output": f"{n * n}\n"} for n in (4, 7)]}
OUTPUT = {"code": "def f(a, b):\n    return [a, b]", "input": "1, 'x'", "output": "[1, 'x']"}
NUMBER = {"code": "def f(a):\n    return a % 2", "input": "7", "output": "1"}
INPUT = {"code": "def f(text, n):\n    return text.upper() * n", "input": "'ab', 2", "output": "'ABAB'"}
TEST_OUTPUT = {"function_name": "half", "input": "18", "output": "9"}

PROGRAMS = {
    "honest": ("print(int(input()) ** 2)", PASS),
    "honest_bytes": ("import sys\nsys.stdout.buffer.write(b'%d' % (int(sys.stdin.buffer.read()) ** 2))", PASS),
    "honest_child": ("import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', f'print({int(input())} ** 2)'], capture_output=True, text=True).stdout)", PASS),
    "honest_with_a_mark": ("\ufeffprint(int(input()) ** 2)", PASS),
    "honest_device": ("print(int(open('/dev/stdin').read()) ** 2, file=open('/dev/stdout', 'w'))", PASS),
    "honest_output_of_its_own": ("import io, os, sys\nclass Fast(io.StringIO):\n    def flush(self): os.write(1, self.getvalue().encode()); self.truncate(0); self.seek(0)\nsys.stdout = Fast()\nprint(int(input()) ** 2)", PASS),
    "honest_output_at_exit": ("import atexit, io, sys\nsys.stdout = io.StringIO()\natexit.register(lambda: sys.__stdout__.write(sys.stdout.getvalue()))\nprint(int(input()) ** 2)", PASS),
    "honest_flush_and_exit": ("import os, sys\nprint(int(input()) ** 2)\nsys.stdout.flush()\nos._exit(0)", PASS),
    "honest_large_stack": ("import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(1 << 28)\ndef down(k): return 0 if k == 0 else 1 + down(k - 1)\ndef main(): print(int(input()) ** 2 * (down(100000) == 100000))\nt = threading.Thread(target=main)\nt.start(); t.join()", PASS),
    "scientific": ("print('%e' % int(input()) ** 2)", LENIENT),
    "exponent_out_of_range": ("print('1e999999999999999999999')", FAIL),
    "signalling_nan": ("print('sNaN')", FAIL),
    "prompts": ("print(int(input('n? ')) ** 2)", FAIL),
    "overwritten": ("print('8\\r' + str(int(input()) ** 2))", FAIL),
    "honest_exit": ("print(int(input()) ** 2)\nexit()", PASS),
    "number_with_zeros": ("print(f'{int(input()) ** 2:.3f}')", LENIENT),
    "padded": ("print('   ', int(input()) ** 2)", LENIENT),
    "two_answers": ("n = int(input())\nprint(n * n, n + n)", FAIL),
    "all_answers": ("print(16)\nprint(49)", FAIL),
    "invisible": ("print(f'{int(input()) ** 2}\\u200b')", FAIL),
    "right_and_then_dead": ("print(int(input()) ** 2, flush=True)\nimport os\nos.kill(os.getpid(), 11)", FAIL),
    "right_and_then_for_ever": ("print(int(input()) ** 2, flush=True)\nwhile True: pass", FAIL),
    "right_and_then_wrong": ("print(int(input()) ** 2)\nraise ValueError", FAIL),
    "truncated_by_itself": ("import os\nprint(0, flush=True)\nos.ftruncate(1, 0)", FAIL),
    "silent": ("pass", FAIL),
    "hungry": ("while True: input()", FAIL),
    "flood": ("import os\nwhile True: os.write(1, b'16\\n' * 100000)", FAIL),
    "no_source": ("\0", FAIL),
    "half_a_character": ("print('\ud800')", FAIL),
}  # fmt: skip
OUTPUTS = {
    "honest": ("[1, 'x']", PASS),
    "honest_assertion": ('assert f(1, "x") == [1, "x"]', PASS),
    "honest_tags": ("[THOUGHT]\n[1, 'y']?\n[/THOUGHT]\n[ANSWER]\nassert f(1, 'x') == [1, 'x']\n[/ANSWER]\n[PYTHON]", PASS),
    "sum": ("[1] + ['x']", LENIENT),
    "tuple": ("(1, 'x')", FAIL),
    "float": ("[1.0, 'x']", LENIENT),
    "call": ("f(1, 'x')", FAIL),
    "call_of_a_type": ("list((1, 'x'))", FAIL),
    "comprehension": ("[y for y in (1, 'x')]", FAIL),
    "or": ("0 or True", FAIL),
    "comparison": ("[1, 'x'] == [1, 'x'] or 1", FAIL),
    "message": ("[1, 'y'] or 1, 'message'", FAIL),
    "walrus": ("(o := [1, 'x'])", FAIL),
    "lambda": ("(lambda: [1, 'x'])()", FAIL),
    "two": ("[1, 'y']\n[1, 'x']", FAIL),
    "two_in_tags": ("[ANSWER][1, 'y'][/ANSWER][ANSWER][1, 'x'][/ANSWER]", FAIL),
    "open_tag": ("[ANSWER][1, 'x'", FAIL),
    "fullwidth": ("[１, 'x']", FAIL),
    "attribute": ("[1, 'x'].__class__", FAIL),
    "format": ("f'{1}'", FAIL),
    "ellipsis": ("...", FAIL),
    "power": ("2 ** 10 ** 10 ** 10", FAIL),
    "repetition": ("[1, 'x'] * 10 ** 12", FAIL),
    "nested": ("[" * 5000 + "]" * 5000, FAIL),
    "long": ("1," * 200000, FAIL),
}  # fmt: skip
INPUTS = {
    "honest": ("f('ab', 2)", PASS),
    "honest_other": ("assert f('aBaB', n=1) == 'ABAB'", PASS),
    "expression": ("f('ab' + 'ab', 1)", LENIENT),
    "wrong": ("f('ab', 3)", FAIL),
    "output_itself": ("'ABAB'  # f(", FAIL),
    "other_function": ("str('ABAB')", FAIL),
    "replaced": ("(f := lambda *_: 'ABAB')('f(')", FAIL),
    "or": ("f('a', 1) or 'ABAB'", FAIL),
    "class": ("f(type('S', (str,), {'upper': lambda s: 'ABAB'})(), 1)", FAIL),
    "lambda": ("f((lambda: 'ab')(), 2)", FAIL),
    "unpacked": ("f(*['ab', 2])", FAIL),
    "memory": ("f('ab', 10 ** 11)", FAIL),
    "second_statement": ("f('ab', 1); f('ab', 2)", FAIL),
}  # fmt: skip
TEST_OUTPUTS = {
    "honest": ("assert half(18) == 9", PASS),
    "honest_block": ("It is:\n```python\nassert half(18) == 9\n```\n", PASS),
    "honest_message": ("assert half(18) == 9, 'half of 18'", PASS),
    "two": ("assert half(18) == 8\nassert half(18) == 9", FAIL),
    "or": ("assert half(18) == 8 or True", FAIL),
    "file": ("assert half(18) == (open('/tmp/FORETRACE_WAS_RUN', 'w').write('x') and 9)", FAIL),
    "exit": ("assert half(18) == exit()", FAIL),
    "any": ("assert half(18) == __import__('unittest.mock').mock.ANY", FAIL),
}  # fmt: skip

_GROUPS = (
    ("stdin", STDIN, PROGRAMS),
    ("crux_output", OUTPUT, OUTPUTS),
    ("crux_output", NUMBER, {"true_for_one": ("True", LENIENT), "half": ("0.5", FAIL), "words": ("it is 1", FAIL)}),
    ("crux_input", INPUT, INPUTS),
    ("test_output", TEST_OUTPUT, TEST_OUTPUTS),
)
CASES = [
    {"id": f"{family}-{name}", "family": family, "task": task, "submission": submission, "expected": expected, "why": ""}
    for family, task, group in _GROUPS
    for name, (submission, expected) in group.items()
]
FILES = ["/tmp/FORETRACE_WAS_RUN"]
