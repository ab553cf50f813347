"""Training as most tutorials write it: what `deepernets bench` measures the course's own way by.

Every image is a PIL image that torchvision transforms by itself, two worker processes prepare batches, numbers have
32 bits, and memory is laid out as PyTorch has it by default. Nothing here is slowed down on purpose.
"""

from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

WORKERS = 2  # processes that prepare batches, as in PyTorch's own tutorial


class Pictures(Dataset[tuple[Tensor, int]]):
    """Images as a data set of tutorials has them: decoded, transformed and handed out one by one.

    Attributes:
        pixels: (N, 3, H, W), uint8.
        labels: (N,).
    """

    def __init__(self, pixels: Tensor, labels: Tensor) -> None:
        self.pixels, self.labels = pixels.permute(0, 2, 3, 1).numpy(), labels.tolist()
        side = pixels.shape[-1]
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(side, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.pixels[index])), self.labels[index]


def batches(pixels: Tensor, labels: Tensor, batch_size: int) -> DataLoader[tuple[Tensor, Tensor]]:
    """Return shuffled batches of images (B, 3, H, W) and labels (B,)."""
    return DataLoader(Pictures(pixels, labels), batch_size, shuffle=True, num_workers=WORKERS, drop_last=True)
