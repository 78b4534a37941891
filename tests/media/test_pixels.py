"""Pictures are decoded upright and whole, or refused with one sentence."""

from __future__ import annotations

import io
import sys

import pytest
from PIL import Image
from tests.projectors import picture

from gemma_chat.errors import ModalityError
from gemma_chat.media.pixels import decode


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)  # type: ignore[arg-type]
    return file.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_becomes_three_bytes_a_pixel(mode: str) -> None:
    pixels = decode(saved(Image.new(mode, (5, 3)), "PNG"), "a.png")
    assert (pixels.width, pixels.height, len(pixels.rgb)) == (5, 3, 45)


def test_a_jpeg_for_printing_is_converted() -> None:
    assert len(decode(saved(Image.new("CMYK", (5, 3)), "JPEG"), "a.jpg").rgb) == 45


def test_what_is_transparent_is_white() -> None:
    clear = saved(Image.new("RGBA", (1, 1), (9, 9, 9, 0)), "PNG")
    assert decode(clear, "a.png").rgb == b"\xff\xff\xff"


def test_a_photograph_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode(saved(Image.new("RGB", (40, 20)), "JPEG", exif=exif), "a.jpg")
    assert (turned.width, turned.height) == (20, 40)


def test_a_preview_keeps_the_proportions() -> None:
    small = decode(picture(1, size=(100, 50)), "a.png", most_sides=(20, 20))
    assert (small.width, small.height, len(small.rgb)) == (20, 10, 600)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_picture_that_is_cut_is_refused(form: str) -> None:
    with pytest.raises(ModalityError, match=r"^cat\.png is damaged or cut short"):
        decode(picture(1, form=form)[:-100], "cat.png")


def test_without_pillow_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = picture(1)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ModalityError, match=r'pip install "gemma-chat\[media\]"'):
        decode(data, "cat.png")
