"""Sandbox settings: sizes, ranges, unknown names."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.errors import UserError
from chatdev.sandbox import SandboxConfig
from chatdev.sandbox.config import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512m", 512 * 1024**2),
        ("1.5g", 3 * 512 * 1024**2),
        ("64 MiB", 64 * 1024**2),
        ("100", 100),
        (4096, 4096),
        ("2GB", 2 * 1024**3),
    ],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "m", "-1m", "0", "0.1", "512 apples", "1e9", "nan", True, None, "٣m٣"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UserError, match="is not a size"):
        parse_size(text)


@given(st.integers(1, 10**15))
def test_a_number_of_bytes_means_itself(size):
    assert parse_size(str(size)) == parse_size(size) == size


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"engin": "docker"}, "sandbox.engin: unknown setting"),
        ({"engine": "podman"}, "sandbox.engine: 'podman' is not known"),
        ({"network": "host"}, "sandbox.network"),
        ({"memory": "3m"}, "sandbox.memory: '3m' is too small"),
        ({"memory": "lots"}, "sandbox.memory"),
        ({"cpus": 0}, "sandbox.cpus: 0 is out of range"),
        ({"cpus": "1"}, "sandbox.cpus: '1' is out of range"),
        ({"pids": 2}, "sandbox.pids"),
        ({"seconds": True}, "sandbox.seconds"),
        ({"disk": "1k"}, "sandbox.disk"),
    ],
)
def test_every_mistake_is_one_line(settings, words):
    with pytest.raises(UserError) as caught:
        SandboxConfig.parse(settings)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_setting_can_be_read_back():
    config = SandboxConfig(engine="docker", memory="1g", cpus=2, runtime="runsc")
    assert SandboxConfig.parse(dataclasses.asdict(config)) == config
    assert config.memory_bytes == 1024**3
    assert SandboxConfig.parse({"memory": 1024**3}).memory_bytes == 1024**3
