"""What is read from pip's lines, and which PyTorch a machine gets."""

import pytest

from chatdev.frontdoor import torch_build
from chatdev.frontdoor.digest import Digest, why

from .conftest import ROOT


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("Collecting click<9,>=8.1 (from chatdev-on-a-stream==0.1.0)", "resolving click"),
        (
            "  Downloading pydantic_core-2.50.4-cp311-cp311-manylinux.whl (2.3 MB)",
            "downloading pydantic_core (2.3 MB)",
        ),
        ("Processing /somewhere/torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl", "resolving torch"),
        ("Obtaining file:///home/me/chatdev", "resolving chatdev"),
        ("something that pip never said before", "starting"),
    ],
)
def test_a_line_becomes_a_short_text(line, text):
    digest = Digest(None, "starting")
    assert not digest.read(line)
    assert digest.text == text


def test_progress_numbers_are_shown_and_not_logged():
    digest = Digest(None, "")
    digest.read("  Downloading torch-2.13.0-cp311-none.whl (190 MB)")
    assert digest.read("Progress 95000000 of 190000000")
    assert digest.text == "downloading torch (95 of 190 MB)"


def test_the_package_being_unpacked_is_named(tmp_path):
    digest = Digest(tmp_path, "")
    digest.read("Installing collected packages: MarkupSafe, charset_normalizer, rich")
    assert digest.text == "installing MarkupSafe (1 of 3)"
    for info in ("markupsafe-3.0.4.dist-info", "charset_normalizer-3.5.2.dist-info"):
        (tmp_path / info).mkdir()
        (tmp_path / info / "RECORD").touch()
    assert digest.text == "installing rich (3 of 3)"
    (tmp_path / "rich-15.0.0.dist-info").mkdir()
    assert digest.text == "installing rich (3 of 3)"  # no RECORD yet
    (tmp_path / "rich-15.0.0.dist-info" / "RECORD").touch()
    assert digest.text == "finishing"


NOTHING_FOUND = "ERROR: No matching distribution found for torch==2.13.0+cpu"


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([NOTHING_FOUND], "missing"),
        (
            [
                "WARNING: Retrying … NewConnectionError('… [Errno -2] Name or service not known')",
                NOTHING_FOUND,
            ],
            "network",
        ),
        (
            ["… SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]')))", NOTHING_FOUND],
            "certificate",
        ),
        (
            [
                "… ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407'))",
                NOTHING_FOUND,
            ],
            "proxy",
        ),
        (["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"], "disk"),
        (["error: subprocess-exited-with-error"], "other"),
        ([], "other"),
    ],
)
def test_the_cause_of_a_failure(lines, kind):
    assert why(lines).kind == kind


def test_a_linux_machine_without_a_gpu_gets_cuda_only_as_the_last_resort():
    ways = torch_build.tries("2.13.0", "linux", gpu=False)
    assert [("torch==2.13.0+cpu" in way.arguments) for way in ways] == [True, True, False]
    assert [torch_build.CPU_INDEX in way.arguments for way in ways] == [False, True, False]
    assert ways[-1].failures == ()


def test_the_first_try_does_not_take_a_dead_network_for_a_missing_build():
    first, second, _ = torch_build.tries("2.13.0", "linux", gpu=False)
    assert "network" not in first.failures
    assert "network" in second.failures  # PyTorch's index may be out of reach where another one is not


@pytest.mark.parametrize(("platform", "gpu"), [("linux", True), ("darwin", False), ("win32", False), ("win32", True)])
def test_everybody_else_gets_the_default_build(platform, gpu):
    (way,) = torch_build.tries("2.13.0", platform, gpu)
    assert way.arguments[-1] == "torch==2.13.0"


def test_the_version_is_the_locks():
    assert torch_build.version(ROOT / "constraints.txt") == "2.13.0"
