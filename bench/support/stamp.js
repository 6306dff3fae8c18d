// Reads the simulator's stamp from a playing <video>, picture by picture.
// window.glass(video) starts it; window.glassSamples holds {delay, number} in milliseconds.
(() => {
  const crcOf = (bytes) => {
    let crc = 0xffffffff;
    for (const byte of bytes) {
      crc ^= byte;
      for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return (crc ^ 0xffffffff) >>> 0;
  };
  const marker = (0xa5c3).toString(2).split("").map(Number);

  const read = ({ data, width }) => {
    const cell = width / 64, reach = Math.max(1, Math.round(cell / 2));
    const cells = [];
    for (let row = 0; row < 2; row++) {
      for (let column = 0; column < 64; column++) {
        const top = Math.round((row + 0.5) * cell - reach / 2);
        const left = Math.round((column + 0.5) * cell - reach / 2);
        let sum = 0;
        for (let y = top; y < top + reach; y++)
          for (let x = left; x < left + reach; x++) sum += data[(y * width + x) * 4 + 1];
        cells.push(sum / (reach * reach));
      }
    }
    const mean = (bit) => {
      const part = cells.slice(0, 16).filter((_, i) => marker[i] === bit);
      return part.reduce((a, b) => a + b) / part.length;
    };
    const light = mean(1), dark = mean(0);
    if (light - dark < 40) return null;
    const bytes = new Uint8Array(16);
    cells.forEach((v, i) => { if (v > (light + dark) / 2) bytes[i >> 3] |= 0x80 >> (i & 7); });
    const view = new DataView(bytes.buffer);
    if (view.getUint16(0) !== 0xa5c3 || crcOf(bytes.subarray(2, 12)) !== view.getUint32(12)) return null;
    return { number: view.getUint32(2), wallMs: view.getUint16(6) * 2 ** 32 + view.getUint32(8) };
  };

  // Date.now() has the system's time in whole milliseconds: the largest difference found is
  // the offset of the finer clock.
  let offset = -Infinity;
  for (let i = 0; i < 20000; i++) {
    offset = Math.max(offset, Date.now() - (performance.timeOrigin + performance.now()));
  }
  const now = () => performance.timeOrigin + performance.now() + offset;
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });

  window.readStamp = (video) => {
    const width = video.videoWidth;
    if (!width) return null;
    const height = Math.round(width / 32);
    if (canvas.width !== width) { canvas.width = width; canvas.height = height; }
    context.drawImage(video, 0, 0, width, height, 0, 0, width, height);
    return read(context.getImageData(0, 0, width, height));
  };

  window.glassSamples = [];
  window.glass = (video) => {
    const step = () => {
      const at = now();
      const stamp = window.readStamp(video);
      if (stamp) window.glassSamples.push({ delay: at - stamp.wallMs, number: stamp.number });
      video.requestVideoFrameCallback(step);
    };
    video.requestVideoFrameCallback(step);
  };
})();
