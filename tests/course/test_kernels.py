import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")


@pytest.fixture
def kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """Start a kernel in a folder and an environment of its own."""
    monkeypatch.setenv("JUPYTER_DEFAULT_PROVISIONER_NAME", "deepernets-fork")
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(tmp_path), env={**os.environ, "COLOUR": "red"})
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=300)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_kernel_has_the_libraries_its_folder_and_environment_but_nothing_of_the_package(
    kernel: tuple[KernelManager, BlockingKernelClient], tmp_path: Path
) -> None:
    _, client = kernel
    printed: list[str] = []
    client.execute_interactive(
        "import sys, os, subprocess\n"
        "print('torch' in sys.modules, sorted(name for name in sys.modules if name.startswith('deepernets')))\n"
        "print(os.getcwd(), os.environ['COLOUR'], subprocess.run('exit 3', shell=True).returncode)\n"
        "import matplotlib.pyplot; print(matplotlib.pyplot.get_backend())",
        timeout=300,
        output_hook=lambda message: printed.append(message["content"].get("text", "")),
    )
    assert "".join(printed).splitlines() == [
        "True []",
        f"{tmp_path} red 3",
        "module://matplotlib_inline.backend_inline",
    ]


def test_an_interrupt_stops_a_cell_and_a_kernel_that_was_killed_is_not_alive(
    kernel: tuple[KernelManager, BlockingKernelClient],
) -> None:
    manager, client = kernel
    names: list[str] = []

    def heard(message: dict) -> None:
        if message["msg_type"] == "stream":
            manager.interrupt_kernel()  # the cell is in its loop
        names.append(message["content"].get("ename", ""))

    client.execute_interactive(
        "print('in the loop', flush=True)\nwhile True: pass", timeout=300, output_hook=heard
    )
    assert "KeyboardInterrupt" in names
    assert manager.is_alive()

    manager.signal_kernel(signal.SIGKILL)
    while manager.is_alive():  # ends once the process has
        pass
    manager.shutdown_kernel(now=True)
    assert not manager.has_kernel
