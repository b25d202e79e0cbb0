"""The child process that opens media: a damaged file can crash a decoder, never the program.

Run as ``python -m app.media.probe_child REQUEST.json ANSWER.json``. The request is a list of
``{"file": path, "image": bool, "thumbnail": path or null, "width": N}``; the answer is a list of facts or errors.
"""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

_USUAL_RATES = (
    *(Fraction(rate) for rate in (12, 15, 24, 25, 30, 48, 50, 60)),
    *(Fraction(rate, 1001) for rate in (24000, 30000, 60000)),
)
_LINEAR_CODECS = frozenset({"exr"})


def main() -> None:
    """Answer every item of the request; one that fails does not spoil the others."""
    request, answer = (Path(argument) for argument in sys.argv[1:3])
    answers = [_one(item) for item in json.loads(request.read_text("utf-8"))]
    answer.write_text(json.dumps(answers), "utf-8")


def _one(item: dict[str, Any]) -> dict[str, Any]:
    import av

    try:
        return _probe(item)
    except av.error.InvalidDataError:
        return {"error": "invalid"}
    except (av.error.FFmpegError, OSError, ValueError, EOFError) as error:
        return {"error": "unreadable", "detail": str(error)}


def _probe(item: dict[str, Any]) -> dict[str, Any]:
    """Facts of one file (for a sequence: of the frame given), and its thumbnail where asked for."""
    import av

    path = item["file"]
    # A "%" in a name is part of the name, never a pattern of the image reader.
    options = {"pattern_type": "none"} if item["image"] else {}
    with av.open(path, options=options, metadata_errors="replace") as container:
        if not container.streams.video:
            return {"error": "no_picture"}
        stream = container.streams.video[0]
        audio = container.streams.audio[0].codec_context.channels if container.streams.audio else 0
        facts = _stream_facts(stream, audio)
        frame = next(container.decode(stream), None)
        if frame is None:
            return {"error": "no_picture"}
        facts["rotation"] = int(frame.rotation) % 360
        facts["pixel_format"] = facts["pixel_format"] or frame.format.name
        facts["bits"] = max(component.bits for component in frame.format.components)
        facts["alpha"] = _has_alpha(frame.format.name)
        facts["width"], facts["height"] = frame.width, frame.height
    facts["frames"], facts["declared"] = (1, 1) if item["image"] else _count(path)
    if item.get("thumbnail"):
        _thumbnail(item, facts)
    return facts


def _stream_facts(stream: Any, audio_channels: int) -> dict[str, Any]:
    average, base = stream.average_rate, stream.base_rate
    aspect = stream.sample_aspect_ratio or Fraction(1)
    rate, variable = _rate(average, base)
    return {
        "codec": stream.codec_context.name,
        "pixel_format": stream.codec_context.pix_fmt or "",
        "rate": None if rate is None else [rate.numerator, rate.denominator],
        "variable": variable,
        "aspect": [aspect.numerator, aspect.denominator],
        "audio_channels": audio_channels,
    }


def _rate(average: Fraction | None, base: Fraction | None) -> tuple[Fraction | None, bool]:
    """The exact rate, and whether it varies: a constant one has equal average and base, give or take rounding."""
    if not average and not base:
        return None, False
    if not average or not base:
        return average or base, False
    if abs(float(average) - float(base)) <= 0.005 * float(base):
        return base, False
    nearest = min(_USUAL_RATES, key=lambda usual: abs(float(usual) - float(average)))
    return (nearest if abs(float(nearest) - float(average)) < 0.5 else average), True


def _has_alpha(pixel_format: str) -> bool:
    return pixel_format.startswith(("yuva", "gbrap", "rgba", "bgra", "argb", "abgr", "ya8", "ya16", "rgbaf", "gbraf"))


def _count(path: str) -> tuple[int, int]:
    """Pictures that can be read by demuxing to the end, and how many the container declares (0 when it does not)."""
    import av

    with av.open(path, metadata_errors="replace") as container:
        stream = container.streams.video[0]
        count = 0
        try:
            count = sum(1 for packet in container.demux(stream) if packet.size and not packet.is_discard)
        except av.error.FFmpegError:
            return count, max(stream.frames, count + 1)
        return count, stream.frames


def _thumbnail(item: dict[str, Any], facts: dict[str, Any]) -> None:
    """A JPEG of the frame in the middle, turned and shaped as it is displayed."""
    import av

    options = {"pattern_type": "none"} if item["image"] else {}
    with av.open(item["file"], options=options, metadata_errors="replace") as container:
        stream = container.streams.video[0]
        if not item["image"] and facts["frames"] > 2 and stream.duration:
            container.seek((stream.start_time or 0) + stream.duration // 2, stream=stream)
        frame = next(container.decode(stream), None)
        if frame is None:
            container.seek(0)
            frame = next(container.decode(stream))
        aspect = Fraction(*facts["aspect"])
        picture = frame.to_image()
        if aspect != 1:
            picture = picture.resize((max(1, round(picture.width * float(aspect))), picture.height))
        if facts["rotation"]:
            picture = picture.rotate(facts["rotation"], expand=True)
        picture = picture.convert("RGB")
        if facts["codec"] in _LINEAR_CODECS:
            picture = picture.point(_srgb_curve() * 3)
        picture.thumbnail((item["width"], item["width"]))
        picture.save(item["thumbnail"], "JPEG", quality=88)


def _srgb_curve() -> list[int]:
    """Scene-linear to sRGB for 8-bit values (IEC 61966-2-1)."""
    linear = [value / 255 for value in range(256)]
    return [round(255 * (12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055)) for v in linear]


if __name__ == "__main__":
    main()
