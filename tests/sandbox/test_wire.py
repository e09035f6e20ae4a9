"""The frames between a box and its engine: whatever is written in between, no frame is forged or lost in silence."""

import io

from hypothesis import given
from hypothesis import strategies as st

from chatdev.sandbox.guest.frames import Keeper, Speaker
from chatdev.sandbox.job import Output
from chatdev.sandbox.wire import Frames

SECRET = "0123456789abcdef0123456789abcdef"


def spoken(messages, tmp_path_factory=None):
    import os

    reader, writer = os.pipe()
    speaker = Speaker(SECRET, writer)
    data = b""
    for kind, payload in messages:
        speaker.send(kind, payload)
        data += os.read(reader, 1 << 20)
    os.close(reader)
    os.close(writer)
    return data


def heard(data, pieces):
    frames, found = Frames(SECRET), []
    stream = io.BytesIO(data)
    while chunk := stream.read(pieces):
        found += list(frames.feed(chunk))
    return frames, found


kinds = st.sampled_from(["result", "file", "out", "done"])
messages = st.lists(st.tuples(kinds, st.binary(max_size=300)), max_size=5)


@given(messages, st.integers(1, 400))
def test_frames_come_back_whatever_the_pieces(sent, pieces):
    frames, found = heard(spoken(sent), pieces)
    assert found == sent
    assert frames.noise == frames.torn == 0


@given(messages, st.binary(max_size=200), st.integers(1, 400))
def test_noise_before_frames_is_dropped(sent, noise, pieces):
    _, found = heard(noise + spoken(sent), pieces)
    assert found == sent


@given(st.binary(max_size=500))
def test_without_the_secret_nothing_is_a_frame(noise):
    assert heard(noise, 64)[1] == []


def test_a_frame_with_another_secret_is_noise():
    forged = spoken([("result", b"{}")]).replace(SECRET.encode(), b"f" * 32)
    assert heard(forged + spoken([("done", b"")]), 7)[1] == [("done", b"")]


def test_a_torn_frame_is_counted_and_the_next_one_is_found():
    data = bytearray(spoken([("result", b"abcdefgh")]))
    data[-3] ^= 1
    frames, found = heard(bytes(data) + spoken([("done", b"")]), 11)
    assert found == [("done", b"")]
    assert frames.torn == 1


def test_an_announced_giant_is_not_waited_for():
    data = b"\n\0" + SECRET.encode() + b" file 9999999999 1\n" + spoken([("done", b"")])
    assert heard(data, 50)[1] == [("done", b"")]


@given(st.lists(st.binary(max_size=60), max_size=30), st.integers(2, 100))
def test_head_and_tail_are_kept_and_the_rest_is_counted(pieces, cap):
    keeper = Keeper(cap)
    for piece in pieces:
        keeper.feed(piece)
    whole, output = b"".join(pieces), Output.from_wire(keeper.wire())
    assert output.total == len(whole)
    assert whole.startswith(output.head)
    assert whole.endswith(output.tail)
    assert len(output.head) + len(output.tail) <= max(2, cap)
    if len(whole) <= cap - 1:
        assert output.head + output.tail == whole
        assert output.dropped == 0
    else:
        assert output.dropped == len(whole) - len(output.head) - len(output.tail)
