"""The networks of both papers, declared as data and built from it.

Every network is an ``nn.Sequential`` whose last module is called ``head``: ``model[:-1]`` computes the
feature maps, ``model[-1]`` the logits.
"""
