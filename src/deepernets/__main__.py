"""``python -m deepernets`` is ``deepernets``; `torchrun -m deepernets` needs it."""

from deepernets.cli import main

main()
