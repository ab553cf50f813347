"""Run the tests with the instruction sets of other processors, and on a busy one: `make test-elsewhere`.

Each line of the output names a configuration and its result. The output of pytest is in `_build/elsewhere/`. The
arguments of the script are passed to pytest.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

LOGS = Path(__file__).parents[1] / "_build" / "elsewhere"
ELSEWHERE = {
    "this-processor": {},
    "AVX512_CORE_BF16": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"},
    "AVX512_CORE": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "no-vector-units": {"ATEN_CPU_CAPABILITY": "default"},
    "two-busy-processes": {},
}
BUSY = [sys.executable, "-c", "while True: pass"]


def passed(name: str, words: list[str]) -> bool:
    """Run the tests in one of the configurations, and print whether they passed and how long they took."""
    others = [subprocess.Popen(BUSY) for _ in range(2)] if name == "two-busy-processes" else []
    started = time.monotonic()
    try:
        with (LOGS / f"{name}.log").open("w", encoding="utf-8") as log:
            command = [sys.executable, "-m", "pytest", *words]
            done = subprocess.run(command, env={**os.environ, **ELSEWHERE[name]}, stdout=log, stderr=log)
    finally:
        for other in others:
            other.kill()
            other.wait()
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    lines = (LOGS / f"{name}.log").read_text(encoding="utf-8").splitlines() or ["nothing"]
    print(
        f"{name:20}{'failed' if done.returncode else 'passed'} in {minutes}:{seconds:02} ({lines[-1].strip('= ')})",
        flush=True,
    )
    return done.returncode == 0


if __name__ == "__main__":
    LOGS.mkdir(parents=True, exist_ok=True)
    results = [passed(name, sys.argv[1:]) for name in ELSEWHERE]
    sys.exit(not all(results))
