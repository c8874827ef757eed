"""Tests of soak.books."""

from soak.books import Book

RUN, NEXT = "1" * 16, "2" * 16


def test_frames_between_the_first_and_the_last_are_lost() -> None:
    book = Book()
    for sequence in (3, 4, 7):
        assert not book.frame(RUN, sequence)
    assert (book.received, book.lost) == (3, 2)
    book.status(RUN, 10)
    assert book.lost == 4


def test_a_frame_that_comes_late_is_lost_no_more() -> None:
    book = Book()
    for sequence in (0, 2, 1):
        assert not book.frame(RUN, sequence)
    assert book.lost == 0


def test_a_frame_that_comes_twice_is_told_of() -> None:
    book = Book()
    book.frame(RUN, 5)
    assert "5" in book.frame(RUN, 5)
    assert not book.frame(NEXT, 5)


def test_another_frames_picture_is_told_of() -> None:
    book = Book()
    book.frame(RUN, 145)
    assert not book.picture(RUN, 145, 145, "equal")
    assert not book.picture(RUN, 145, 2, "cycle 143")
    assert book.picture(RUN, 145, 144, "equal")
    assert book.picture(RUN, 145, 3, "cycle 143")
    assert book.picture(RUN, 145, None, "equal")


def test_a_cameras_pictures_may_be_passed_over_and_never_go_back() -> None:
    book = Book()
    book.frame(RUN, 0)
    assert not book.picture(RUN, 0, 100, "rising")
    assert not book.picture(RUN, 1, 105, "rising")
    assert not book.picture(RUN, 2, 105, "rising")
    assert book.picture(RUN, 3, 104, "rising")
