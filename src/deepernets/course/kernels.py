"""Start the kernels of pages and labs as forks of a process that has imported the large libraries.

A kernel imports PyTorch, pandas and Matplotlib in about four seconds of a core, and the book and the tests start
some fifty kernels. Jupyter starts them with this module if ``JUPYTER_DEFAULT_PROVISIONER_NAME`` is
``deepernets-fork``, as it is in the Makefile and in the tests. Nothing of this package is imported beforehand, so a
page that lacks an import of it still fails.
"""

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

# Matplotlib reads it as it is imported.
_BACKEND = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
_ONE_AT_A_TIME = threading.Lock()


class ForkingProvisioner(LocalProvisioner):
    """Start an IPython kernel as a fork of a prepared process."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel.

        Args:
            cmd: The command that would start it: ``python … -m ipykernel_launcher -f FILE``.
            **kwargs: ``env`` and ``cwd`` of the kernel; with ``stderr``, its standard error is dropped.
        """
        folder = str(kwargs.get("cwd") or os.getcwd())
        with _ONE_AT_A_TIME:
            kernel = _server().fork(
                arguments=cmd[cmd.index("ipykernel_launcher") + 1 :],
                folder=folder,
                environment=dict(kwargs["env"]),
                silent=kwargs.get("stderr") is not None,
            )
        self.process = kernel  # type: ignore[assignment]
        self.pid = self.pgid = kernel.pid
        self.cwd = folder
        return self.connection_info


class _Kernel:
    """What Jupyter expects of a `subprocess.Popen`, for a process that is a child of the server's."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0  # ended; with which status is not known, nor asked for
        return None

    wait = poll  # Jupyter waits once poll has returned a status

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Server:
    """The process that is forked. It ends with the one that started it, and its kernels end with it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            start_new_session=True,  # an interrupt from the keyboard is for Jupyter
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_BACKEND},
            text=True,
        )
        atexit.register(self._process.communicate)

    def fork(self, **request: Any) -> _Kernel:
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        print(json.dumps(request), file=requests, flush=True)
        if not (pid := answers.readline()):
            raise RuntimeError("The process that kernels are forks of has ended.")
        return _Kernel(int(pid))


@cache
def _server() -> _Server:
    return _Server()


def _serve() -> None:
    """Import the libraries, and fork a kernel for each line of the input."""
    del sys.path[0]  # this file's folder
    for name in ("torch", "pandas", "matplotlib.pyplot", "ipykernel.kernelapp"):
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # kernels that ended leave nothing to wait for
    gc.freeze()  # the collector would touch, and so copy, the memory that forks share
    for line in sys.stdin:
        if pid := os.fork():
            print(pid, flush=True)
        else:
            _run_kernel(**json.loads(line))


def _run_kernel(arguments: list[str], folder: str, environment: dict[str, str], silent: bool) -> None:
    from ipykernel.kernelapp import IPKernelApp

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()  # a signal for the kernel's group reaches what the kernel started, and nothing else
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2) if silent else (0, 1):
        os.dup2(nothing, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment, JPY_PARENT_PID=str(os.getppid()), **_BACKEND)
    sys.argv[:] = ["ipykernel_launcher", *arguments]
    IPKernelApp.launch_instance(arguments)
    os._exit(0)


if __name__ == "__main__":
    _serve()
