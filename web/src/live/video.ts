/** What both transports do with a <video> element. */

export function createVideo(): HTMLVideoElement {
  const video = document.createElement('video');
  video.muted = true;
  video.autoplay = true;
  video.playsInline = true;
  video.disablePictureInPicture = true;
  video.disableRemotePlayback = true;
  video.tabIndex = -1;
  return video;
}

/** Resolves when the first picture can be seen; rejects with `late()` after `limitMs`. */
export function firstPicture(
  video: HTMLVideoElement,
  limitMs: number,
  late: () => Error,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error?: Error) => {
      clearTimeout(timer);
      video.removeEventListener('loadeddata', seen);
      signal.removeEventListener('abort', stop);
      if (error) reject(error);
      else resolve();
    };
    const seen = () => finish();
    const stop = () => finish(late());
    const timer = setTimeout(stop, limitMs);
    video.addEventListener('loadeddata', seen);
    signal.addEventListener('abort', stop);
    video.requestVideoFrameCallback?.(seen);
  });
}

/** Autoplay of a muted video may still be refused (power saving): the next gesture starts it. */
export function playSoon(video: HTMLVideoElement): void {
  video.play().catch(() => {
    window.addEventListener('pointerdown', () => void video.play().catch(() => undefined), {
      once: true,
    });
  });
}

/** Copy the present picture to `canvas`, so that it stays when the video goes. False: no picture. */
export function keepPicture(video: HTMLVideoElement, canvas: HTMLCanvasElement): boolean {
  if (video.readyState < 2 || video.videoWidth === 0) return false;
  const scale = Math.min(1, 1280 / video.videoWidth);
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext('2d')?.drawImage(video, 0, 0, canvas.width, canvas.height);
  return true;
}
