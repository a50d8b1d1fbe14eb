"""The photo sets of visitors."""

import threading
import time

import numpy as np
import pytest

from clip_demo.errors import BusyError, OptionError
from clip_demo.own_classes.photo_set import MAX_BYTES, Photo
from clip_demo.serving.kept_sets import KeptSets

ANNA, BEN, CARL = ("a" * 32, "b" * 32, "c" * 32)


def add(key, size=10):
    photo = Photo(key, b"", np.ones(size, dtype=np.float32))
    return lambda photo_set: photo_set.with_photos(0, [photo], "toy", "70")


def keys(photo_set):
    return [photo.key for photo in photo_set.photos]


def test_each_visitor_has_a_set_of_their_own():
    kept = KeptSets()
    kept.change(ANNA, add("x"))
    kept.change(BEN, add("y"))
    assert (keys(kept.get(ANNA)), keys(kept.get(BEN)), keys(kept.get(CARL))) == (["x"], ["y"], [])
    assert len(kept) == 2  # looking makes no set


def test_changes_are_taken_back_one_by_one():
    kept = KeptSets()
    kept.change(ANNA, add("x"))
    kept.change(ANNA, add("y"))
    assert keys(kept.undo(ANNA)) == ["x"]
    assert keys(kept.undo(ANNA)) == []
    assert not kept.can_undo(ANNA)
    assert keys(kept.undo(ANNA)) == []


def test_an_error_leaves_the_set_as_it_was():
    kept = KeptSets()
    kept.change(ANNA, add("x"))
    with pytest.raises(OptionError):
        kept.change(ANNA, lambda photo_set: photo_set.without_photo("nothing"))
    assert keys(kept.get(ANNA)) == ["x"]


def test_a_visitor_takes_at_most_three_megabytes_deleted_photos_included():
    kept = KeptSets()
    for number in range(12):
        kept.change(ANNA, add(str(number), MAX_BYTES // 4 // 3))
        kept.change(ANNA, lambda photo_set: photo_set.without_photo(photo_set.photos[0].key))
        assert kept.nbytes <= MAX_BYTES
    assert kept.can_undo(ANNA)


def test_a_set_goes_by_itself_when_its_visitor_has_left():
    kept = KeptSets(idle_seconds=0.2)
    kept.change(ANNA, add("x"))
    end = time.monotonic() + 10
    while len(kept) and time.monotonic() < end:
        time.sleep(0.02)
    assert (len(kept), kept.nbytes) == (0, 0)


def test_use_keeps_a_set():
    kept = KeptSets(idle_seconds=3600)
    kept.change(ANNA, add("x"))
    kept._kept[ANNA].last_used -= 3599  # almost an hour ago
    assert keys(kept.get(ANNA)) == ["x"]
    kept._kept[ANNA].last_used -= 3601
    assert keys(kept.get(ANNA)) == []


def test_nobody_takes_the_place_of_another_visitor():
    kept = KeptSets(most_visitors=2)
    kept.change(ANNA, add("x"))
    kept.change(BEN, add("y"))
    with pytest.raises(BusyError, match="try again in a few minutes"):
        kept.change(CARL, add("z"))
    assert keys(kept.get(ANNA)) == ["x"]
    kept.forget(BEN)
    assert keys(kept.change(CARL, add("z"))) == ["z"]


@pytest.mark.parametrize("visitor", ["", "a", "A" * 32, "a" * 33, None, ["a" * 32], "a" * 31 + "\n"])
def test_a_name_that_could_be_guessed_is_refused(visitor):
    with pytest.raises(OptionError, match="32 hexadecimal digits"):
        KeptSets().get(visitor)


def test_thirty_visitors_at_once():
    kept, visitors = KeptSets(), [f"{number:032x}" for number in range(30)]

    def teach(visitor):
        for number in range(20):
            kept.change(visitor, add(f"{visitor}-{number}"))
        kept.undo(visitor)

    threads = [threading.Thread(target=teach, args=(visitor,)) for visitor in visitors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for visitor in visitors:
        assert keys(kept.get(visitor)) == [f"{visitor}-{number}" for number in range(19)]
    assert kept.nbytes == 30 * 19 * 40
