"""Whatever happens to the bytes of an artifact, it is refused before anything is made of it."""

from pathlib import Path

import pytest
from artifact_samples import write_sample

from gearshift.artifact.reader import Artifact
from gearshift.errors import ArtifactError, NotAnArtifactError, TruncatedArtifactError


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_sample(tmp_path_factory.mktemp("whole") / "a.om")


def test_the_whole_file_is_fine(whole: bytes) -> None:
    Artifact.from_bytes(whole).close()


@pytest.mark.parametrize("eighth", range(8))
def test_a_flipped_bit_in_any_byte_is_refused(whole: bytes, eighth: int) -> None:
    # Every byte, header, directory and padding included; bit 0 of one, bit 1 of the next ...
    damaged = bytearray(whole)
    for index in range(eighth, len(whole), 8):
        damaged[index] ^= 1 << (index // 8 % 8)
        with pytest.raises(ArtifactError):
            Artifact.from_bytes(damaged)
        damaged[index] = whole[index]
    Artifact.from_bytes(damaged).close()


def test_a_flipped_bit_is_refused_in_a_mapped_file_too(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.om"
    for index in (0, 8, 12, 16, 24, 40, 70, 4000, 4100, 8000, 8200, 12000, 12300, len(whole) - 1):
        path.write_bytes(whole[:index] + bytes([whole[index] ^ 0x10]) + whole[index + 1 :])
        with pytest.raises(ArtifactError, match="cannot be loaded"):
            Artifact.open(path)


def test_every_shorter_file_is_truncated(whole: bytes) -> None:
    view = memoryview(whole)
    for length in range(len(whole)):
        with pytest.raises(TruncatedArtifactError):
            Artifact.from_bytes(view[:length])


def test_an_interrupted_copy_says_so(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.om"
    path.write_bytes(whole[:5000])
    with pytest.raises(TruncatedArtifactError, match=f"written with {len(whole)} .* has 5000"):
        Artifact.open(path)


@pytest.mark.parametrize("more", [b"\0", b"x", bytes(4096), b"GEARSHFT"])
def test_appended_bytes_are_refused(whole: bytes, more: bytes) -> None:
    with pytest.raises(TruncatedArtifactError, match="goes on too long"):
        Artifact.from_bytes(whole + more)


def test_two_bytes_swapped_anywhere_in_the_weights(whole: bytes) -> None:
    damaged = bytearray(whole)
    damaged[12288:12290] = reversed(damaged[12288:12290])
    with pytest.raises(ArtifactError, match="'weights'"):
        Artifact.from_bytes(damaged)


def test_text_mode_transfer_is_refused(whole: bytes) -> None:
    with pytest.raises(ArtifactError):
        Artifact.from_bytes(whole.replace(b"\n", b"\r\n"))


def test_damage_in_the_magic_is_not_an_artifact(whole: bytes) -> None:
    with pytest.raises(NotAnArtifactError):
        Artifact.from_bytes(b"gEARSHFT" + whole[8:])
