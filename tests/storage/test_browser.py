"""What playback sends plays in a browser's MediaSource, picture by picture."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from tests.support.browser import chromium, needs_chromium
from tests.support.storage_media import START_NS, encode_aac, encode_video, merged
from tests.support.storage_media import units as make_units
from tests.support.storage_rig import rig

from vms.common.model.media import Codec
from vms.storage.playback import Playback

_PLAY = """async ([data, mime]) => {
  const video = document.createElement('video');
  video.muted = true;
  document.body.append(video);
  const media = new MediaSource();
  video.src = URL.createObjectURL(media);
  await new Promise(done => media.onsourceopen = done);
  const buffer = media.addSourceBuffer(mime);
  await new Promise(done => {
    buffer.onupdateend = done;
    buffer.appendBuffer(Uint8Array.from(atob(data), c => c.charCodeAt(0)));
  });
  const ranges = [...Array(buffer.buffered.length).keys()].map(
    i => [buffer.buffered.start(i), buffer.buffered.end(i)]);
  media.endOfStream();
  const ended = new Promise(done => { video.onended = done; video.onerror = done; });
  await video.play();
  await ended;
  return {ranges, error: video.error && video.error.message,
          pictures: video.getVideoPlaybackQuality().totalVideoFrames};
}"""


@needs_chromium
@pytest.mark.browser
@pytest.mark.parametrize("b_frames", [0, 2])
async def test_a_browser_plays_every_picture(tmp_path: Path, b_frames: int) -> None:
    async with rig(tmp_path) as storage:
        video = make_units(*encode_video(Codec.H264, b_frames=b_frames))
        sound = make_units(*encode_aac(2.0), track=1)
        storage.send(merged(video, sound))
        await storage.stop()
        playback = Playback(storage.catalog, storage.settings)
        answer = await playback.open("front", "main", START_NS, 60)
        data = b"".join([chunk async for chunk in playback.stream(answer)])
        playback.release(answer)
        playback.close()
    async with chromium() as browser:
        page = await browser.new_page()
        if not await page.evaluate("type => MediaSource.isTypeSupported(type)", answer.mime):
            pytest.skip("this Chromium plays no H.264")
        told = await page.evaluate(_PLAY, [base64.b64encode(data).decode(), answer.mime])
    assert told["error"] is None
    assert len(told["ranges"]) == 1
    assert told["ranges"][0] == [0, pytest.approx(2.0, abs=0.02)]
    assert told["pictures"] == 50
