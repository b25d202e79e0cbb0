"""Small real media for seeded versions: pictures drawn with Pillow, movies encoded with ffmpeg."""

from __future__ import annotations

import colorsys
import io
import random
from pathlib import Path

from PIL import Image, ImageDraw

from app.process import run_program
from app.sandbox.transcode import ffmpeg

WIDTH, HEIGHT = 480, 270
FRAMES = 24
RATE = 24


def picture(title: str, seed: str, width: int = WIDTH, height: int = HEIGHT, shift: float = 0.0) -> Image.Image:
    """A landscape in the colours that ``seed`` gives, with ``title`` in the corner; ``shift`` 0 to 1 moves the sun."""
    dice = random.Random(seed)  # noqa: S311 - pictures, not secrets
    hue = dice.random()
    image = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(image)
    for y in range(height):
        depth = y / height
        draw.line((0, y, width, y), fill=_colour(hue + 0.12 * depth, 0.55 - 0.25 * depth, 0.25 + 0.55 * depth))
    sun = (width * (0.15 + 0.7 * shift), height * 0.38)
    draw.ellipse((sun[0] - 22, sun[1] - 22, sun[0] + 22, sun[1] + 22), fill=_colour(hue + 0.5, 0.35, 1.0))
    for layer in range(3):
        points = [(0.0, float(height))]
        level = height * (0.55 + 0.14 * layer)
        for step in range(13):
            points.append((width * step / 12, level + dice.uniform(-26, 18)))
        points.append((float(width), float(height)))
        draw.polygon(points, fill=_colour(hue + 0.05 * layer, 0.6, 0.42 - 0.12 * layer))
    draw.rectangle((0, height - 26, width, height), fill=(12, 14, 18))
    draw.text((8, height - 20), title, fill=(230, 232, 236))
    return image


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, min(1.0, saturation), min(1.0, value))
    return int(red * 255), int(green * 255), int(blue * 255)


def jpeg(title: str, seed: str) -> bytes:
    """A picture as JPEG."""
    buffer = io.BytesIO()
    picture(title, seed).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def movie(title: str, seed: str, folder: Path) -> bytes:
    """One second of a moving picture as H.264 in MP4.

    Args:
        title: Text in the picture.
        seed: What gives the colours.
        folder: An existing folder for the frames; emptied again.

    Raises:
        ProgramFailed, ProgramMissing: ffmpeg could not encode.
    """
    frames = [folder / f"frame.{number:04d}.jpg" for number in range(1, FRAMES + 1)]
    target = folder / "movie.mp4"
    try:
        for number, frame in enumerate(frames):
            picture(title, seed, shift=number / FRAMES).save(frame, "JPEG", quality=80)
        arguments = ("-framerate", str(RATE), "-i", str(folder / "frame.%04d.jpg"), "-c:v", "libx264")
        speed = ("-preset", "ultrafast", "-pix_fmt", "yuv420p", "-movflags", "+faststart")
        # Bit-exact muxing leaves the encoder's name and the date out: the same seed gives the same file.
        exact = ("-fflags", "+bitexact", "-flags:v", "+bitexact", "-threads", "1")
        run_program((ffmpeg(), "-hide_banner", "-nostdin", "-y", *arguments, *speed, *exact, str(target)))
        return target.read_bytes()
    finally:
        for path in (*frames, target):
            path.unlink(missing_ok=True)
