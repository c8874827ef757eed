"""Recycled memory: nobody's pixels change while anybody can see them; what is spare is bounded."""

import gc
import threading
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from framewire.common import arrays
from framewire.common.arrays import LEAST_BYTES, SPARE_BYTES, new_image
from framewire.common.frame import Image

SHAPE = (480, 640, 3)


@pytest.fixture(autouse=True)
def _nothing_spare() -> Iterator[None]:
    arrays._spare.clear()
    yield
    arrays._spare.clear()


def _address(image: Image) -> int:
    return int(image.__array_interface__["data"][0])


@pytest.mark.parametrize("shape", [(1, 1), (8, 8, 3), (480, 640), SHAPE, (1080, 1920, 1)])
def test_an_array_like_any_other(shape: tuple[int, ...]) -> None:
    image = new_image(shape)
    assert image.shape == shape
    assert image.dtype == np.uint8
    assert image.flags.writeable
    assert image.flags.c_contiguous
    image[:] = 7
    assert int(image.min()) == int(image.max()) == 7


def test_memory_is_used_again_when_it_was_let_go() -> None:
    image = new_image(SHAPE)
    address = _address(image)
    del image
    assert _address(new_image(SHAPE)) == address


def test_also_for_another_shape_of_the_same_size() -> None:
    address = _address(new_image(SHAPE))
    assert _address(new_image((640, 480, 3))) == address


def test_two_that_are_held_never_share() -> None:
    first, second = new_image(SHAPE), new_image(SHAPE)
    assert not np.shares_memory(first, second)


@pytest.mark.parametrize(
    "derive",
    [
        lambda image: image[10:20],
        lambda image: image[10:20][::2][:, 5],
        lambda image: image.reshape(-1),
        lambda image: image[:, :, 0].T,
        lambda image: memoryview(image),
        lambda image: image.view(np.dtype("V3")),
        lambda image: np.frombuffer(image, np.uint8),
        lambda image: np.asarray(memoryview(image))[5:],
        lambda image: image.data,
        lambda image: iter(image),
    ],
    ids=["slice", "slices", "reshaped", "transposed", "memoryview", "cast", "frombuffer", "viewed",
         "data", "iterator"],
)  # fmt: skip
def test_what_was_made_of_an_array_keeps_its_memory(derive: object) -> None:
    image = new_image(SHAPE)
    address = _address(image)
    kept = derive(image)  # type: ignore[operator]
    del image
    gc.collect()
    assert _address(new_image(SHAPE)) != address
    del kept
    gc.collect()
    assert any(_address(spare) == address for spare in arrays._spare)


def test_what_is_spare_is_bounded() -> None:
    images = [new_image((1080, 1920, 3)) for _ in range(40)]
    del images
    assert 0 < sum(spare.nbytes for spare in arrays._spare) <= SPARE_BYTES
    images = [new_image((480, 640)) for _ in range(100)]
    del images
    assert len(arrays._spare) <= arrays.MOST_SPARE


def test_one_that_is_larger_than_all_that_may_be_spare_goes_back_at_once() -> None:
    new_image((SPARE_BYTES + 1,))
    assert not arrays._spare


def test_small_ones_are_left_to_the_allocator() -> None:
    new_image((LEAST_BYTES - 1,))
    assert not arrays._spare


def test_other_sizes_are_left_for_those_who_need_them() -> None:
    small, large = new_image((480, 640)), new_image(SHAPE)
    addresses = _address(small), _address(large)
    del small, large
    again = new_image((480, 640))
    assert (_address(again), _address(new_image(SHAPE))) == addresses


def test_threads_that_keep_and_let_go_see_their_own_pixels_only() -> None:
    wrong = []

    def work(mark: int) -> None:
        random, held = Random(mark), []
        for step in range(300):
            image = new_image((256, 256, random.choice((1, 3))))
            value = (mark * 37 + step) % 251
            image[:] = value
            held.append((image[random.randrange(256) :], value))
            if len(held) > random.randrange(8):
                kept, expected = held.pop(random.randrange(len(held)))
                if not (kept == expected).all():
                    wrong.append((mark, step))

    threads = [threading.Thread(target=work, args=(mark,)) for mark in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not wrong
