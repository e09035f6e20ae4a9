"""Ten products verified at once on a small machine: every verdict is the one it gets alone."""

from concurrent.futures import ThreadPoolExecutor

from chatdev.sandbox import climb

GOOD = "import time\nfor n in range(5):\n    print(n, flush=True)\n    time.sleep(0.1)\n"
ASKS = "print('you are', input('who? '))\n"
BAD = "import time\ntime.sleep(0.5)\nraise ValueError('bad luck')\n"
WANTS = "import argparse\np = argparse.ArgumentParser()\np.add_argument('file')\np.parse_args()\n"


def test_ten_at_once(boxed, product):
    sources = {f"p{n}": (GOOD, ASKS, BAD, WANTS)[n % 4] for n in range(10)}
    folders = {name: product({"main.py": text}, name) for name, text in sources.items()}
    config = boxed.config.with_(seconds=10.0, start_seconds=2.0, quiet_seconds=3.0)
    with ThreadPoolExecutor(10) as pool:
        reports = dict(zip(folders, pool.map(lambda f: climb(f, boxed, config), folders.values()), strict=True))
    for name, report in reports.items():
        expected = "failed" if sources[name] == BAD else "verified"
        assert report.verdict == expected, f"{name}: {report.for_model()}"
        assert "bad luck" in report.reason or expected == "verified"
