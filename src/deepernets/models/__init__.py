"""The networks of both papers, declared as data and built from it.

Every network is an ``nn.Sequential`` whose last module is called ``head``: ``model[:-1]`` computes the
feature maps, ``model[-1]`` the logits.
"""

import sys
from types import ModuleType


class _Models(ModuleType):
    """A package that can be called: ``deepernets.models`` is this package, ``deepernets.models()`` a list.

    Importing a package sets its name in its parent, whatever stood there; so the call has to be its own.
    """

    def __call__(self) -> list[str]:
        from deepernets.models.zoo import models

        return models()


sys.modules[__name__].__class__ = _Models
