"""Image folders and zips, sound ones and bad ones."""

import os
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from deepernets.data.datasets import load_dataset
from deepernets.data.image_folder import is_image_folder, read_image_folder
from deepernets.data.images import resize
from deepernets.errors import ImagesChangedWarning, UserError


def picture(seed: int, size: tuple[int, int] = (6, 5), mode: str = "RGB") -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise).convert(mode)


def pets(folder: Path, suffix: str = ".png", per_class: int = 3) -> Path:
    """Make an image folder of cats and dogs, each picture another one."""
    for seed, (split, name, number) in enumerate(
        (split, name, number)
        for split in ("train", "test")
        for name in ("dog", "cat")
        for number in range(per_class)
    ):
        path = folder / split / name / f"{number:04}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(seed).save(path)
    return folder


def zipped(folder: Path, archive: Path, inside: str = "") -> Path:
    """Zip what lies below `folder`, in no particular order, below the name `inside`."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    random.Random(0).shuffle(files)
    with zipfile.ZipFile(archive, "w") as written:
        for path in files:
            written.write(path, Path(inside) / path.relative_to(folder))
    return archive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return pets(tmp_path / "pets")


def refused(place: Path, match: str) -> None:
    """Assert that reading ends in one sentence that says `match`."""
    with pytest.raises(UserError, match=match) as caught:
        read_image_folder(place)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_a_folder_is_read_sorted_by_class_and_name(folder: Path) -> None:
    dataset = load_dataset(str(folder))
    assert (dataset.name, dataset.variant, dataset.classes) == ("pets", "pets-png", ("cat", "dog"))
    assert dataset.train.labels.tolist() == dataset.test.labels.tolist() == [0, 0, 0, 1, 1, 1]
    seeds = [3, 4, 5, 0, 1, 2]  # dogs were drawn first
    expected = np.stack([np.asarray(picture(seed)).transpose(2, 0, 1) for seed in seeds])
    assert dataset.train.pixels.dtype == torch.uint8
    np.testing.assert_array_equal(dataset.train.pixels.numpy(), expected)


def test_zips_hold_the_same_as_the_folder(folder: Path, tmp_path: Path) -> None:
    expected = load_dataset(str(folder))
    split_zips = tmp_path / "split" / "pets"
    split_zips.mkdir(parents=True)
    zipped(folder / "train", split_zips / "train.zip")
    zipped(folder / "test", split_zips / "test.zip", inside="test")  # as zip programs like to wrap it
    bare = zipped(folder, tmp_path / "bare.zip")
    wrapped = zipped(folder, tmp_path / "wrapped.zip", inside="wrapped")
    for place in (split_zips, bare, wrapped):
        found = load_dataset(str(place))
        assert found.classes == expected.classes
        assert torch.equal(found.train.pixels, expected.train.pixels)
        assert torch.equal(found.test.pixels, expected.test.pixels)
        assert torch.equal(found.test.labels, expected.test.labels)


def test_only_the_wanted_classes_are_decoded_in_the_wanted_order(folder: Path) -> None:
    (folder / "train" / "cat" / "0000.png").write_text("no image, and nobody asked for cats")
    train, _ = read_image_folder(folder, ["dog"])
    assert train.classes == ("dog",)
    assert train.images.labels.tolist() == [0, 0, 0]


@pytest.mark.parametrize(("suffix", "name"), [(".jpg", "jpeg"), (".png", "png"), (".bmp", "bmp")])
def test_the_variant_names_the_format_of_the_files(tmp_path: Path, suffix: str, name: str) -> None:
    assert load_dataset(str(pets(tmp_path / "pets", suffix))).variant == f"pets-{name}"


def test_a_variant_of_two_formats_names_both(folder: Path) -> None:
    picture(0).save(folder / "test" / "cat" / "0000.jpg")
    assert load_dataset(str(folder)).variant == "pets-jpeg+png"


def test_grey_images_have_one_channel_unless_some_are_coloured(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        Image.open(path).convert("L").save(path)
    grey, _ = read_image_folder(folder)
    assert grey.images.pixels.shape == (6, 1, 5, 6)
    picture(0).save(folder / "train" / "dog" / "0002.png")
    picture(0).save(folder / "test" / "dog" / "0002.png")
    mixed, _ = read_image_folder(folder)
    assert torch.equal(mixed.images.pixels[:5], grey.images.pixels[:5].expand(-1, 3, -1, -1))


def test_files_that_systems_leave_behind_are_passed_over(folder: Path, tmp_path: Path) -> None:
    expected, _ = read_image_folder(folder)
    (folder / "train" / ".DS_Store").write_text("")
    (folder / "train" / "cat" / "._0000.png").write_text("")
    (folder / "__MACOSX" / "train").mkdir(parents=True)
    (folder / "__MACOSX" / "train" / "._cat").write_text("")
    for place in (folder, zipped(folder, tmp_path / "pets.zip")):
        assert torch.equal(read_image_folder(place)[0].images.pixels, expected.images.pixels)


def test_what_counts_as_an_image_folder(folder: Path, tmp_path: Path) -> None:
    assert is_image_folder(folder)
    assert is_image_folder(zipped(folder, tmp_path / "pets.zip"))
    assert not is_image_folder(tmp_path / "nowhere")
    assert not is_image_folder(folder / "train")


def text_among_images(folder: Path) -> None:
    (folder / "train" / "cat" / "notes.txt").write_text("remember the milk")


def stray_file(folder: Path) -> None:
    (folder / "train" / "labels.csv").write_text("0,cat")


def empty_class(folder: Path) -> None:
    (folder / "train" / "bird").mkdir()


def other_size(folder: Path) -> None:
    picture(0, size=(7, 5)).save(folder / "train" / "dog" / "0001.png")


def other_size_in_test(folder: Path) -> None:
    for path in (folder / "test").rglob("*.png"):
        picture(0, size=(7, 5)).save(path)


def cut_off(folder: Path) -> None:
    path = folder / "test" / "cat" / "0001.png"
    path.write_bytes(path.read_bytes()[:-60])


def sixteen_bits(folder: Path) -> None:
    Image.fromarray(np.full((5, 6), 40_000, np.uint16)).save(folder / "train" / "cat" / "0000.png")


def class_only_in_train(folder: Path) -> None:
    (folder / "train" / "bird").mkdir()
    picture(0).save(folder / "train" / "bird" / "0000.png")


def no_test_images(folder: Path) -> None:
    (folder / "test").rename(folder / "validation")


def no_classes(folder: Path) -> None:
    for path in sorted((folder / "train").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()


BAD = {
    text_among_images: r"cat.notes\.txt is not an image",
    stray_file: r"labels\.csv is next to the class folders",
    empty_class: "bird is empty",
    other_size: r"0001\.png is 7×5 pixels, but cat/0000\.png is 6×5",
    other_size_in_test: "training images of 3×5×6 and test images of 3×5×7",
    cut_off: r"0001\.png is damaged",
    sixteen_bits: "more than 8 bits",
    class_only_in_train: r"different classes in train and test \(bird\)",
    no_test_images: "has no test images",
    no_classes: "has no class folder at all",
}


@pytest.mark.parametrize(("spoil", "match"), BAD.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_bad_folder_is_refused_in_one_sentence(
    folder: Path, spoil: Callable[[Path], None], match: str
) -> None:
    spoil(folder)
    refused(folder, match)


def test_a_missing_class_is_named(folder: Path) -> None:
    with pytest.raises(UserError, match="has no class folder bird"):
        read_image_folder(folder, ["cat", "bird"])


def test_an_empty_class_in_a_zip_is_refused(folder: Path, tmp_path: Path) -> None:
    archive = zipped(folder, tmp_path / "pets.zip")
    with zipfile.ZipFile(archive, "a") as written:
        written.mkdir("train/bird")
    refused(archive, "bird is empty")


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.99])
def test_a_truncated_zip_is_refused(folder: Path, tmp_path: Path, keep: float) -> None:
    archive = zipped(folder, tmp_path / "pets.zip")
    data = archive.read_bytes()
    archive.write_bytes(data[: int(keep if keep > 1 else keep * len(data))])
    refused(archive, r"pets\.zip is truncated, damaged or no plain zip")


def test_a_zip_with_a_flipped_byte_is_refused(folder: Path, tmp_path: Path) -> None:
    archive = zipped(folder, tmp_path / "pets.zip")
    data = bytearray(archive.read_bytes())
    data[len(data) // 3] ^= 0xFF
    archive.write_bytes(data)
    refused(archive, r"pets\.zip is truncated, damaged or no plain zip")


def test_a_folder_without_permission_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    refused(folder, r"0000\.png cannot be read \(Permission denied\)")


def test_a_rotated_photograph_is_turned_and_transparency_laid_on_white_with_one_warning(folder: Path) -> None:
    sideways = picture(7, size=(5, 6))
    exif = sideways.getexif()
    exif[0x0112] = 6  # the camera was turned: what is stored must be rotated by 90° clockwise
    sideways.save(folder / "train" / "cat" / "0000.png", exif=exif)
    strokes = np.zeros((5, 6, 4), np.uint8)
    strokes[2, :, 3] = 255  # a black line on nothing
    Image.fromarray(strokes).save(folder / "train" / "cat" / "0001.png")
    with pytest.warns(ImagesChangedWarning) as caught:
        train, _ = read_image_folder(folder)
    message = str(caught.pop().message)
    assert not caught.list
    assert "1 turned as their EXIF data states" in message
    assert "1 laid on white where they were transparent" in message
    np.testing.assert_array_equal(
        train.images.pixels[0].permute(1, 2, 0).numpy(), np.rot90(np.asarray(sideways), k=-1)
    )
    assert train.images.pixels[1, :, 2].max() == 0
    assert train.images.pixels[1, :, [0, 1, 3, 4]].min() == 255


def test_images_of_different_sizes_are_resized_to_the_size_that_is_given_with_one_warning(
    folder: Path,
) -> None:
    other_size(folder)
    with pytest.warns(ImagesChangedWarning, match="12 resized to 4×4 pixels") as caught:
        dataset = load_dataset(str(folder), image_size=4)
    assert len(caught) == 1
    assert dataset.train.pixels.shape == dataset.test.pixels.shape == (6, 3, 4, 4)
    expected = resize(read_image_folder(pets(folder.parent / "same"))[0].images, 4)
    assert torch.equal(dataset.train.pixels[0], expected.pixels[0])


def test_images_of_one_size_are_not_changed_whatever_size_is_given(folder: Path) -> None:
    assert torch.equal(
        read_image_folder(folder, image_size=4)[0].images.pixels, read_image_folder(folder)[0].images.pixels
    )


def test_korean_names_from_a_zip_of_windows_are_read(folder: Path, tmp_path: Path) -> None:
    archive = zipped(folder, tmp_path / "pets.zip")
    archive.write_bytes(archive.read_bytes().replace(b"/dog/", b"/" + "새".encode("cp949") + b"_/"))
    assert read_image_folder(archive)[0].classes == ("cat", "새_")


def test_idx_files_in_a_zip_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("train-images.idx3-ubyte", b"")
    refused(tmp_path / "archive.zip", r"not read from a zip; unpack it into MNIST/raw in the data folder")


def test_a_single_top_folder_backslashes_and_system_files_do_not_matter(folder: Path, tmp_path: Path) -> None:
    expected = read_image_folder(folder)[0].images.pixels
    top = tmp_path / "download"
    top.mkdir()
    (folder / "train" / "cat" / "Thumbs.db").write_bytes(b"no image")
    (folder / "desktop.ini").write_text("")
    shutil.copytree(folder, top / "flowers")
    backslashes = tmp_path / "backslashes.zip"
    with zipfile.ZipFile(backslashes, "w") as archive:
        for path in folder.rglob("*"):
            if path.is_file():
                archive.writestr(str(path.relative_to(folder.parent)).replace("/", "\\"), path.read_bytes())
    for place in (folder, top, backslashes, zipped(folder, tmp_path / "archive.zip", inside="flowers")):
        assert torch.equal(read_image_folder(place)[0].images.pixels, expected)


def test_a_folder_that_links_to_itself_is_refused(folder: Path) -> None:
    (folder / "train" / "cat" / "again").symlink_to(folder / "train")
    refused(folder, "more than 16 deep, or a link to a folder above it")


def test_a_pipe_among_the_images_or_in_place_of_a_zip_is_refused(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(folder / "train" / "cat" / "pipe.png")
    refused(folder, r"pipe\.png is a pipe or a device")
    os.mkfifo(tmp_path / "pipe.zip")
    refused(tmp_path / "pipe.zip", "is a pipe or a device")


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deepernets.data.image_files.MOST_PIXELS", 29)
    monkeypatch.setattr(PngImageFile, "load", None)
    refused(folder, r"0000\.png has 6×5 pixels")


def test_postscript_starts_no_program(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    picture(0).save(folder / "train" / "cat" / "0000.png", "EPS")
    refused(folder, r"0000\.png is not an image of PNG, JPEG")


def test_a_zip_with_a_member_far_too_large_or_packed_unusually_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    for method, match in (
        (zipfile.ZIP_DEFLATED, "has a file train/cat/0.png of"),
        (zipfile.ZIP_LZMA, "deflate"),
    ):
        with zipfile.ZipFile(tmp_path / "large.zip", "w", method) as archive:
            archive.writestr("train/cat/0.png", bytes(5_000_000))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("deepernets.data.file_tree.LARGEST_FILE", 1_000_000)
            refused(tmp_path / "large.zip", match)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
def test_names_that_are_not_utf8_are_refused_when_they_are_read(folder: Path, tmp_path: Path) -> None:
    """They would be met again after the training, when the record is written."""
    other = tmp_path / os.fsdecode(b"h\xfctte")
    shutil.copytree(folder, other)
    with pytest.raises(
        UserError, match=r"The name of the data folder, .*h\\xfctte', is not UTF-8; rename it"
    ):
        load_dataset(str(other))
    for split in ("train", "test"):
        (folder / split / "cat").rename(folder / split / os.fsdecode(b"K\xe4tzchen"))
    refused(folder, r"The name of a class folder in .*train, b'K\\xe4tzchen', is not UTF-8; rename it")
