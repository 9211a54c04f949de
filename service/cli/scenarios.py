"""What the demo sends: the request examples of the providers' documents, word for word, and a few variations of them.

Only callback URLs are the demo's own. The documents: "Wan video generation API" of LaoZhang, "Wan2.7 Text-to-Video API
Reference" of APIYI, "Wan Videos Generation API" of AceData. HappyHorse takes the same requests under its own model
names (APIYI's Wan overview).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FLAT_WAN = "/wan/videos"
FLAT_HAPPYHORSE = "/happyhorse/videos"
GATEWAY = "/wan/api/v1/services/aigc/video-generation/video-synthesis"
NATIVE = "/api/v1/services/aigc/video-generation/video-synthesis"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One request, sent once through every provider that offers its model.

    `shape` is whose words it is in. `held`: the reply itself is the result, and nobody is called back. `ends` is the
    state that it must end in.
    """

    title: str
    shape: str
    path: str
    body: Mapping[str, Any]
    held: bool = False
    ends: str = "SUCCEEDED"

    @property
    def model(self) -> str:
        model: str = self.body["model"]
        return model


ALIYUN = "https://help-static-aliyun-doc.aliyuncs.com/file-manage-files/zh-CN"

TEXT_TO_VIDEO_FLAT = {  # AceData, Basic Usage
    "action": "text2video",
    "model": "wan2.6-t2v",
    "prompt": "Astronauts shuttle from space to volcano",
    "duration": 5,
}
IMAGE_TO_VIDEO_FLAT = {  # AceData, Image-to-Video Functionality
    "action": "image2video",
    "model": "wan2.6-i2v",
    "prompt": "Astronauts shuttle from space to volcano",
    "duration": 5,
    "image_url": "https://cdn.acedata.cloud/r9vsv9.png",
}
HAPPYHORSE_FLAT = {
    "action": "generate",
    "model": "happyhorse-1.0-t2v",
    "prompt": "Astronauts shuttle from space to volcano",
    "duration": 5,
}
FAILING_FLAT = TEXT_TO_VIDEO_FLAT | {"prompt": "Astronauts shuttle from space to volcano [sim:fail]"}

LIGHTHOUSE = {  # LaoZhang, Text To Video
    "model": "wan2.7-t2v",
    "input": {
        "prompt": "A lighthouse at sunset, slow cinematic push-in, ocean waves hitting rocks, seabirds in the distance"
    },
    "parameters": {"resolution": "720P", "duration": 5, "prompt_extend": True, "watermark": True},
}
RAP = {  # LaoZhang, Image To Video
    "model": "wan2.7-i2v",
    "input": {
        "prompt": "A graffiti character comes alive and performs energetic rap under a railway bridge at night",
        "media": [
            {"type": "first_frame", "url": f"{ALIYUN}/20250925/wpimhv/rap.png"},
            {"type": "driving_audio", "url": f"{ALIYUN}/20250925/ozwpvi/rap.mp3"},
        ],
    },
    "parameters": {"resolution": "720P", "duration": 10, "prompt_extend": True, "watermark": True},
}
DRESS = {  # LaoZhang, Reference To Video
    "model": "wan2.7-r2v",
    "input": {
        "prompt": "A girl wearing the referenced dress walks slowly through a sunset garden with cinematic lighting",
        "media": [{"type": "reference_image", "url": f"{ALIYUN}/20260402/fwjpqf/wan2.7-videoedit-change-clothes.png"}],
    },
    "parameters": {"resolution": "720P", "duration": 5, "prompt_extend": True, "watermark": True},
}
OUTFIT = {  # LaoZhang, Video Editing
    "model": "wan2.7-videoedit",
    "input": {
        "prompt": "Replace the girl's outfit in the video with the outfit shown in the reference image",
        "media": [
            {"type": "video", "url": f"{ALIYUN}/20260403/nlspwm/T2VA_22.mp4"},
            {"type": "reference_image", "url": f"{ALIYUN}/20260402/fwjpqf/wan2.7-videoedit-change-clothes.png"},
        ],
    },
    "parameters": {"resolution": "720P", "prompt_extend": True, "watermark": True},
}
SHORT = {  # LaoZhang, Minimal Python Client
    "model": "wan2.7-t2v",
    "input": {"prompt": "A lighthouse at sunset, cinematic light, slow push-in"},
    "parameters": {"resolution": "720P", "duration": 5, "prompt_extend": True},
}
SEASHORE = {  # APIYI, Text-to-video: create a video generation task from a text prompt
    "model": "wan2.7-t2v",
    "input": {
        "prompt": "A lighthouse on the seashore at dusk, the camera slowly pushing in, waves gently lapping the rocks, "
        "seabirds calling, cinematic lighting, steady camera work"
    },
}
SEASHORE_IN_FULL = SEASHORE | {  # APIYI, Code examples
    "parameters": {"resolution": "720P", "duration": 5, "prompt_extend": True, "watermark": True},
}
HAPPYHORSE_NATIVE = LIGHTHOUSE | {  # HappyHorse does not extend prompts
    "model": "happyhorse-1.0-t2v",
    "parameters": {"resolution": "720P", "duration": 5, "watermark": True},
}

SCENARIOS = (
    Scenario("text to video", "flat", FLAT_WAN, TEXT_TO_VIDEO_FLAT),
    Scenario("image to video", "flat", FLAT_WAN, IMAGE_TO_VIDEO_FLAT),
    Scenario("text, held", "flat", FLAT_WAN, TEXT_TO_VIDEO_FLAT, held=True),
    Scenario("one that fails", "flat", FLAT_WAN, FAILING_FLAT, ends="FAILED"),
    Scenario("HappyHorse text", "flat", FLAT_HAPPYHORSE, HAPPYHORSE_FLAT),
    Scenario("text to video", "gateway", GATEWAY, LIGHTHOUSE),
    Scenario("text alone", "gateway", GATEWAY, SEASHORE),
    Scenario("text and settings", "gateway", GATEWAY, SEASHORE_IN_FULL),
    Scenario("picture and sound", "gateway", GATEWAY, RAP),
    Scenario("reference", "gateway", GATEWAY, DRESS),
    Scenario("video editing", "gateway", GATEWAY, OUTFIT),
    Scenario("text to video", "native", NATIVE, SHORT),
    Scenario("picture and sound", "native", NATIVE, RAP),
    Scenario("reference", "native", NATIVE, DRESS),
    Scenario("video editing", "native", NATIVE, OUTFIT),
    Scenario("HappyHorse text", "native", NATIVE, HAPPYHORSE_NATIVE),
)
