"""The first code cell of every lab: it installs the course where that is its job, and says what the lab runs on."""

import os
import sys
from string import Template

import deepernets

CELL = Template("""\
# In Colab and on Kaggle this installs the course. Anywhere else it checks that the course is installed.
import os
import sys

COURSE = "git+$url@$ref"
if "google.colab" in sys.modules or "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
    %pip install --quiet {COURSE}
try:
    from deepernets.course.set_up import set_up
except ImportError:
    class Missing(ImportError):
        _render_traceback_ = lambda self: [str(self)]  # a sentence is enough

    raise Missing(f"The course is not installed. Run `%pip install {COURSE}`, then restart the kernel.") from None
set_up("$version", COURSE)""")


def set_up(version: str, course: str) -> None:
    """Print which version of the course and which device a lab runs on, and what to do about them.

    Args:
        version: The version that the notebook was made for.
        course: What pip installs it from.
    """
    loaded = deepernets.__version__
    if loaded != version:
        print(f"This notebook is for deepernets {version}, but {loaded} is loaded. {_how_to_change(course)}")
    print(f"deepernets {loaded}. {_device()}")


def _how_to_change(course: str) -> str:
    if _in_colab():  # the cell has just installed the right one, but Python keeps what it has imported
        return "Restart the runtime (Runtime, Restart session), then run all cells."
    return f"Run `%pip install {course}`, then restart the kernel and run all cells."


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return f"GPU: {torch.cuda.get_device_name()}."
    if torch.backends.mps.is_available():
        return "GPU: Apple's."
    if _in_colab():
        return (
            "This session has no GPU. The quick profile needs none. For one, choose Runtime, Change runtime type, "
            "T4 GPU, then run all cells again."
        )
    if "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        return (
            "This session has no GPU. The quick profile needs none. For one, choose Settings, Accelerator, "
            "GPU T4 x2, then run all cells again."
        )
    return "There is no GPU here. The quick profile needs none."


def _in_colab() -> bool:
    return "google.colab" in sys.modules
