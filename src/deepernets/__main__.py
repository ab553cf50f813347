"""The command line as ``python -m deepernets``, which `torchrun` needs."""

from deepernets.cli import main

main()
