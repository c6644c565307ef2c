"""Start-up times in milliseconds, best of five, one JSON line: `python bench/startup.py`."""

import json
import subprocess
import sys
import time


def best(*arguments: str) -> float:
    """Milliseconds of the quickest of five runs."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return round(1000 * min(times), 1)


def main() -> None:
    results = {
        "python": best("-c", "pass"),
        "import foretrace": best("-c", "import foretrace"),
        "foretrace --help": best("-m", "foretrace", "--help"),
    }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
