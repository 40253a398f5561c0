"""Memory of the demo page: starts the program, sends it many images and prints its memory.

python -m tests.trainer.demo.page_memory MODEL_DIR [REQUESTS]

No test: 2,000 requests take minutes. Windows come and go, one for every ten images; sizes differ.
"""

import pathlib
import re
import subprocess
import sys
import time

import cv2
import httpx
import numpy as np

from tests.trainer.demo.conftest import answers, join, named, upload


def main() -> None:
    model_dir, num_requests = sys.argv[1], int((*sys.argv, "2000")[2])
    command = [sys.executable, "-m", "trainer.app", f"--model_dir={model_dir}", "--detector=none"]
    process = subprocess.Popen([*command, "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        found = (re.search(r"(http://\S+)/\?token=(\w+)", line) for line in process.stdout)
        address = next(match for match in found if match)
        headers = {"authorization": f"Bearer {address[2]}"}
        with httpx.Client(base_url=address[1], headers=headers, timeout=60) as client:
            send(client, process.pid, num_requests=num_requests)
    finally:
        process.terminate()
        process.wait()


def send(client: httpx.Client, pid: int, *, num_requests: int) -> None:
    generator = np.random.default_rng(0)
    start = time.monotonic()
    for number in range(num_requests + 1):
        if number % max(1, num_requests // 10) == 0:
            spent = time.monotonic() - start
            print(f"{number:5} images  {resident_mb(pid):7.1f} MB  {spent:5.0f} s", flush=True)
        height, width = generator.integers(100, 900, 2)
        image = generator.integers(0, 255, (height // 8, width // 8, 3)).astype(np.uint8)
        content = cv2.imencode(".jpg", cv2.resize(image, (int(width), int(height))))[1].tobytes()
        if number % 10 == 0:
            client.get("/").raise_for_status()
        session = f"window{number // 10}"
        assert join(client, [named(upload(client, content))], session=session).is_success
        assert "The whole image taken as one face" in answers(client, session=session)


def resident_mb(pid: int) -> float:
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024


if __name__ == "__main__":
    main()
