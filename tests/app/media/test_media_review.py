"""What artists hand in is published right, or refused in words they understand.

Every medium is made by ffmpeg here; results are judged by ``ffmpeg -i`` and a box reader, not by the code under test.
"""

from __future__ import annotations

import itertools
import re
import struct
import subprocess
import threading
from fractions import Fraction
from pathlib import Path

import pytest

from app.media import MediaRefused, Progress, ReviewSettings, SlateText, gather, make_review, probe, slate_preview
from app.media.ffmpeg import ffmpeg_path
from app.process import Cancelled


def ffmpeg(*arguments: str, cwd: Path) -> None:
    subprocess.run([str(ffmpeg_path()), "-nostdin", "-y", "-loglevel", "error", *arguments], cwd=cwd, check=True)


def source_args(size: str = "320x180", rate: str = "24", frames: int = 24) -> list[str]:
    return ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}", "-frames:v", str(frames)]


def judged(path: Path) -> dict[str, object]:
    """Independent facts: ffmpeg decodes every frame to nothing and says what it saw."""
    run = subprocess.run(
        [str(ffmpeg_path()), "-nostdin", "-hide_banner", "-i", str(path), "-map", "0:v:0", "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    stream = re.search(r"Video: (\w+).*?, (yuv\w+)[^,]*.*?, (\d+)x(\d+)", run.stderr)
    assert stream is not None, run.stderr
    rate = re.search(r"([\d.]+) fps", run.stderr)
    frames = re.findall(r"frame=\s*(\d+)", run.stderr)
    long = re.search(r"Duration: (\d+):(\d+):([\d.]+)", run.stderr)
    assert long is not None
    return {
        "seconds": int(long[1]) * 3600 + int(long[2]) * 60 + float(long[3]),
        "codec": stream[1],
        "pixels": stream[2],
        "size": (int(stream[3]), int(stream[4])),
        "fps": float(rate[1]) if rate else None,
        "frames": int(frames[-1]),
        "audio": "Audio:" in run.stderr,
    }


def boxes(path: Path) -> list[str]:
    """Names of the top-level boxes of an mp4, in order."""
    names, data, at = [], path.read_bytes(), 0
    while at + 8 <= len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        if size == 1:
            size = struct.unpack(">Q", data[at + 8 : at + 16])[0]
        names.append(name.decode("latin-1"))
        at += size or len(data)
    return names


def assert_reviewable(movie: Path) -> dict[str, object]:
    facts = judged(movie)
    assert facts["codec"] == "h264"
    assert facts["pixels"] == "yuv420p"
    width, height = facts["size"]  # type: ignore[misc]
    assert width % 2 == 0
    assert height % 2 == 0
    assert facts["seconds"] == pytest.approx(facts["frames"] / facts["fps"], abs=0.06)  # type: ignore[operator]
    order = boxes(movie)
    assert order.index("moov") < order.index("mdat"), "faststart"
    return facts


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


MOVIES = {
    "prores 4:2:2 10 bit": (["-c:v", "prores_ks", "-pix_fmt", "yuv422p10le"], "24", ".mov"),
    "h264 23.976": (["-c:v", "libx264", "-pix_fmt", "yuv420p"], "24000/1001", ".mp4"),
    "29.97 drop frame": (["-c:v", "libx264", "-pix_fmt", "yuv420p", "-timecode", "00:00:00;00"], "30000/1001", ".mov"),
}


@pytest.mark.parametrize("name", MOVIES)
def test_a_movie_keeps_its_rate_and_every_frame(name: str, tmp_path: Path, work: Path) -> None:
    codec, rate, suffix = MOVIES[name]
    clip = tmp_path / f"clip{suffix}"
    ffmpeg(*source_args(rate=rate, frames=30), *codec, str(clip), cwd=tmp_path)
    review = make_review(gather([clip])[0], work)
    facts = assert_reviewable(review.movie)
    assert facts["frames"] == 30
    assert facts["fps"] == pytest.approx(float(Fraction(rate)), abs=0.01)
    assert review.facts.rate == Fraction(rate)
    assert review.meta == {"frameIn": 0, "frameOut": 30, "frameRate": float(Fraction(rate))}
    assert review.facts.bits == (10 if "prores" in name else 8)
    assert review.thumbnail.read_bytes()[:2] == b"\xff\xd8"


def test_a_clip_of_one_frame_is_published_with_one_frame(tmp_path: Path, work: Path) -> None:
    ffmpeg(*source_args(frames=1), "-c:v", "libx264", "-pix_fmt", "yuv420p", "one.mov", cwd=tmp_path)
    review = make_review(gather([tmp_path / "one.mov"])[0], work)
    assert assert_reviewable(review.movie)["frames"] == 1


def test_odd_sizes_become_even(tmp_path: Path, work: Path) -> None:
    ffmpeg(*source_args(size="1919x1079", frames=3), "-c:v", "prores_ks", "odd.mov", cwd=tmp_path)
    review = make_review(gather([tmp_path / "odd.mov"])[0], work)
    assert assert_reviewable(review.movie)["size"] == (1918, 1078)


@pytest.mark.parametrize("layout", ["none", "5.1"])
def test_sound_becomes_stereo_and_silence_stays_silent(layout: str, tmp_path: Path, work: Path) -> None:
    sound = (
        [] if layout == "none" else ["-f", "lavfi", "-i", "anoisesrc=d=1", "-ac", "6", "-c:a", "pcm_s16le", "-shortest"]
    )
    video = source_args()
    ffmpeg(*video[:4], *sound, *video[4:], "-c:v", "libx264", "-pix_fmt", "yuv420p", "clip.mov", cwd=tmp_path)
    review = make_review(gather([tmp_path / "clip.mov"])[0], work)
    facts = assert_reviewable(review.movie)
    assert facts["audio"] is (layout != "none")
    assert review.facts.audio_channels == (0 if layout == "none" else 6)


def test_a_rotated_phone_clip_stands_upright(tmp_path: Path, work: Path) -> None:
    ffmpeg(*source_args(), "-c:v", "libx264", "-pix_fmt", "yuv420p", "flat.mp4", cwd=tmp_path)
    ffmpeg("-display_rotation", "90", "-i", "flat.mp4", "-c", "copy", "phone.mp4", cwd=tmp_path)
    review = make_review(gather([tmp_path / "phone.mp4"])[0], work)
    assert (review.facts.width, review.facts.height) == (180, 320)
    assert assert_reviewable(review.movie)["size"] == (180, 320)


@pytest.mark.parametrize("suffix", ["exr", "dpx"])
def test_a_sequence_from_1001_with_a_hole_holds_the_frame_before(suffix: str, tmp_path: Path, work: Path) -> None:
    ffmpeg(*source_args(frames=8), "-start_number", "1001", f"plate.%04d.{suffix}", cwd=tmp_path)
    (tmp_path / f"plate.1004.{suffix}").unlink()
    (source,) = gather(sorted(tmp_path.glob(f"plate.*.{suffix}")))
    review = make_review(source, work, rate=Fraction(25))
    facts = assert_reviewable(review.movie)
    assert facts["frames"] == 8
    assert facts["fps"] == 25
    assert source.missing == (1004,)
    assert "1004" in " ".join(review.warnings)
    assert "held" in " ".join(review.warnings)


def test_missing_frames_are_skipped_or_refused_as_the_settings_say(tmp_path: Path) -> None:
    ffmpeg(*source_args(frames=6), "-start_number", "1", "p.%03d.png", cwd=tmp_path)
    (tmp_path / "p.003.png").unlink()
    (source,) = gather([str(tmp_path / "p.###.png")])
    for policy in ("skip", "refuse"):
        folder = tmp_path / policy
        folder.mkdir()
        settings = ReviewSettings(missing=policy)  # type: ignore[arg-type]
        if policy == "skip":
            assert assert_reviewable(make_review(source, folder, settings=settings).movie)["frames"] == 5
        else:
            with pytest.raises(MediaRefused, match=r"1 missing frame \(3\)"):
                make_review(source, folder, settings=settings)


def test_linear_exr_gets_the_srgb_curve(tmp_path: Path, work: Path) -> None:
    """Mid grey 0.18 of scene-linear light is about 118 of 255 with the sRGB curve, 46 without."""
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "color=c=0x2e2e2e:s=64x64",
        "-frames:v",
        "1",
        "-vf",
        "format=gbrpf32le",
        "grey.exr",
        cwd=tmp_path,
    )
    review = make_review(gather([tmp_path / "grey.exr"])[0], work)
    raw = subprocess.run(
        [
            str(ffmpeg_path()),
            "-loglevel",
            "error",
            "-i",
            str(review.image),
            "-vf",
            "format=gray",
            "-f",
            "rawvideo",
            "-",
        ],
        capture_output=True,
        check=True,
    ).stdout
    assert 105 <= raw[len(raw) // 2] <= 130


def test_a_png_with_alpha_is_laid_over_black(tmp_path: Path, work: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "color=c=white@0.0:s=64x64,format=rgba", "-frames:v", "1", "clear.png", cwd=tmp_path)
    review = make_review(gather([tmp_path / "clear.png"])[0], work)
    assert review.facts.alpha
    assert review.movie is None
    assert review.meta["format"] == "image"
    raw = subprocess.run(
        [
            str(ffmpeg_path()),
            "-loglevel",
            "error",
            "-i",
            str(review.image),
            "-vf",
            "format=gray",
            "-f",
            "rawvideo",
            "-",
        ],
        capture_output=True,
        check=True,
    ).stdout
    assert max(raw) < 12


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.mov", b"", "is empty"),
        ("notes.mov", b"these are meeting notes, not a movie\n" * 40, "is not a movie or an image"),
    ],
)
def test_what_is_no_movie_is_refused_in_plain_words(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MediaRefused, match=words) as refused:
        probe(gather([tmp_path / name])[0])
    assert name in str(refused.value)
    assert "Traceback" not in str(refused.value)


@pytest.mark.parametrize("faststart", [True, False])
def test_a_truncated_movie_is_refused(faststart: bool, tmp_path: Path) -> None:
    flags = ["-movflags", "+faststart"] if faststart else []
    ffmpeg(*source_args(frames=48), "-c:v", "libx264", "-pix_fmt", "yuv420p", *flags, "whole.mov", cwd=tmp_path)
    data = (tmp_path / "whole.mov").read_bytes()
    (tmp_path / "cut.mov").write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(MediaRefused, match=r"ends early|cut short"):
        probe(gather([tmp_path / "cut.mov"])[0])


def test_names_with_quotes_spaces_percent_and_emoji_are_published(tmp_path: Path, work: Path) -> None:
    clip = tmp_path / 'it\'s 100% "final" 🎬 #2.mov'
    ffmpeg(*source_args(frames=5), "-c:v", "libx264", "-pix_fmt", "yuv420p", "plain.mov", cwd=tmp_path)
    (tmp_path / "plain.mov").rename(clip)
    before = (clip.stat().st_mtime_ns, clip.read_bytes())
    review = make_review(
        gather([clip.as_uri()])[0], work, slate=SlateText(("it's 100%", "a:b,c;[d]\\"), "2026-11-22", 1001)
    )
    assert assert_reviewable(review.movie)["frames"] == 5
    assert (clip.stat().st_mtime_ns, clip.read_bytes()) == before, "the source is only read"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([clip.name, "work"]), "nothing beside the source"


def test_the_slate_changes_the_corners_and_leaves_the_middle(tmp_path: Path) -> None:
    ffmpeg(
        "-f", "lavfi", "-i", "color=c=gray:s=640x360:r=24", "-frames:v", "4", "-c:v", "libx264", "g.mov", cwd=tmp_path
    )
    (source,) = gather([tmp_path / "g.mov"])
    facts = probe(source)
    pictures = []
    for slate in (None, SlateText(("show", "BC_0010", "comp", "v03", "Ada"), "2026-11-22", 1001)):
        folder = tmp_path / ("with" if slate else "without")
        folder.mkdir()
        image = slate_preview(source, folder, slate, facts)
        raw = subprocess.run(
            [str(ffmpeg_path()), "-loglevel", "error", "-i", str(image), "-vf", "format=gray", "-f", "rawvideo", "-"],
            capture_output=True,
            check=True,
        ).stdout
        pictures.append([raw[y * 640 : (y + 1) * 640] for y in range(360)])

    def spread(rows: list[bytes], top: int, bottom: int, left: int, right: int) -> int:
        area = [value for row in rows[top:bottom] for value in row[left:right]]
        return max(area) - min(area)

    plain, slated = pictures
    for box in ((0, 30, 0, 300), (0, 30, 480, 640), (330, 360, 280, 360)):
        assert spread(plain, *box) < 10
        assert spread(slated, *box) > 60
    assert spread(slated, 100, 260, 100, 540) < 10


def test_long_names_on_a_narrow_picture_leave_the_date_readable(tmp_path: Path) -> None:
    ffmpeg(
        "-f", "lavfi", "-i", "color=c=gray:s=360x640:r=24", "-frames:v", "2", "-c:v", "libx264", "g.mov", cwd=tmp_path
    )
    (source,) = gather([tmp_path / "g.mov"])
    fields = ("nightjar_second", "ep101_sh0450_pickup", "compositing", "v012", "Maria von Hohenstein")
    image = slate_preview(source, tmp_path, SlateText(fields, "2026-11-22", 1001), probe(source))
    raw = subprocess.run(
        [str(ffmpeg_path()), "-loglevel", "error", "-i", str(image), "-vf", "format=gray", "-f", "rawvideo", "-"],
        capture_output=True,
        check=True,
    ).stdout
    # The upper edge of both boxes, where no letter is: dark, the grey between them, dark, and grey to the border.
    edge = ["box" if value < 95 else "picture" for value in raw[360 * 8 : 360 * 9]]
    assert [what for what, _ in itertools.groupby(edge)] == ["picture", "box", "picture", "box", "picture"]


def test_progress_is_told_and_cancel_ends_ffmpeg(tmp_path: Path, work: Path) -> None:
    ffmpeg(*source_args(size="1280x720", frames=400), "-c:v", "mjpeg", "-q:v", "8", "long.avi", cwd=tmp_path)
    cancel, seen = threading.Event(), []

    def watch(progress: Progress) -> None:
        seen.append(progress)
        cancel.set()

    with pytest.raises(Cancelled):
        make_review(gather([tmp_path / "long.avi"])[0], work, on_progress=watch, cancel=cancel)
    assert seen
    assert seen[0].of == 400


def test_a_source_that_changes_during_the_conversion_is_not_published(tmp_path: Path, work: Path) -> None:
    ffmpeg(*source_args(frames=200), "-c:v", "mjpeg", "grow.avi", cwd=tmp_path)
    clip = tmp_path / "grow.avi"

    def grow(_: Progress) -> None:
        with clip.open("ab") as file:
            file.write(b"\0" * 16)

    with pytest.raises(MediaRefused, match="changed while"):
        make_review(gather([clip])[0], work, on_progress=grow)
