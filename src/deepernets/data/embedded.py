"""Data sets that need neither files nor network: `digits`, and the drawn `sketches`."""

from functools import lru_cache

import numpy as np
import torch
from PIL import Image

from deepernets.data.batches import stratified_split
from deepernets.data.images import Dataset, Images
from deepernets.data.sketches import CLASSES, draw

DIGIT_SIDE, MARGIN = 20, 4  # pixels, as in MNIST: a digit fills 20×20, and 28×28 with its margin
DIGITS, TEST_FRACTION = 1_797, 0.2
TRAINING_IMAGES = {"digits": DIGITS - round(TEST_FRACTION * DIGITS), "sketches": 1_500}


@lru_cache(maxsize=1)
def digits() -> Dataset:
    """Return scikit-learn's 1,797 handwritten 8×8 digits, enlarged to MNIST's 28×28.

    They have MNIST's shape, so that whatever runs on MNIST runs on them unchanged; one in five is a test
    image.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    grey = (bunch.images * (255 / 16)).astype(np.uint8)  # (N, 8, 8), from 0 to 16
    enlarged = np.zeros((len(grey), 1, 28, 28), np.uint8)
    for picture, small in zip(enlarged[:, 0, MARGIN:-MARGIN, MARGIN:-MARGIN], grey, strict=True):
        picture[:] = Image.fromarray(small).resize((DIGIT_SIDE, DIGIT_SIDE), Image.Resampling.BICUBIC)
    images = Images(torch.from_numpy(enlarged), torch.from_numpy(bunch.target.astype(np.int64)))
    train, test = stratified_split(images, TEST_FRACTION, seed=0)
    return Dataset("digits", "digits", tuple("0123456789"), train, test)


@lru_cache(maxsize=1)
def sketches() -> Dataset:
    """Return 1,500 training and 600 test drawings, made by `deepernets.data.sketches.draw`."""
    return Dataset(
        "sketches", "sketches", CLASSES, draw(TRAINING_IMAGES["sketches"], seed=0), draw(600, seed=1)
    )
