// The camera: a stream in a video element, and its pictures handed to the decoder one at a time.

/** Wider pictures take longer and find nothing more at an arm's length. */
const WIDEST = 960;
/** Between two pictures; a decoder that is slower than that sets the pace itself. */
const PAUSE_MS = 60;

export type CameraTrouble = "insecure" | "denied" | "none" | "failed";

/** What TypeScript does not know of yet. */
type Torch = { torch?: boolean };

export class Camera {
  private stream: MediaStream | null = null;
  private running = 0;
  private readonly canvas = document.createElement("canvas");
  private readonly decoder = new Worker(new URL("../workers/decode.ts", import.meta.url), { type: "module" });
  private cameras: MediaDeviceInfo[] = [];

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly onCode: (text: string) => void,
  ) {}

  /** Null when it runs. */
  async start(deviceId?: string): Promise<CameraTrouble | null> {
    this.stop();
    if (!navigator.mediaDevices?.getUserMedia) return "insecure";
    const turn = ++this.running;
    const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: { ideal: "environment" } };
    try {
      const video = { ...which, width: { ideal: 1280 }, height: { ideal: 720 } };
      const stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
      if (turn !== this.running) {
        for (const track of stream.getTracks()) track.stop();
        return null;
      }
      this.stream = stream;
    } catch (error) {
      return trouble(error);
    }
    this.video.srcObject = this.stream;
    await this.video.play().catch(() => undefined);
    const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    this.cameras = devices.filter(({ kind }) => kind === "videoinput");
    void this.watch(turn);
    return null;
  }

  stop(): void {
    this.running++;
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }

  /** For good. */
  end(): void {
    this.stop();
    this.decoder.terminate();
  }

  get canSwitch(): boolean {
    return this.cameras.length > 1;
  }

  async switch(): Promise<CameraTrouble | null> {
    const now = this.track()?.getSettings().deviceId;
    const at = this.cameras.findIndex(({ deviceId }) => deviceId === now);
    return this.start(this.cameras[(at + 1) % this.cameras.length]?.deviceId);
  }

  get hasTorch(): boolean {
    const track = this.track();
    return Boolean((track?.getCapabilities?.() as Torch | undefined)?.torch);
  }

  async torch(on: boolean): Promise<void> {
    await this.track()?.applyConstraints({ advanced: [{ torch: on } as MediaTrackConstraintSet] }).catch(() => undefined);
  }

  private track(): MediaStreamTrack | undefined {
    return this.stream?.getVideoTracks()[0];
  }

  private async watch(turn: number): Promise<void> {
    while (turn === this.running) {
      const picture = this.picture();
      if (picture) {
        const text = await this.decode(picture);
        if (text && turn === this.running) this.onCode(text);
      }
      await new Promise((resolve) => setTimeout(resolve, document.hidden ? 1_000 : PAUSE_MS));
    }
  }

  private picture(): ImageData | null {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width || !height || this.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return null;
    const scale = Math.min(1, WIDEST / Math.max(width, height));
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    if (!context) return null;
    context.drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    return context.getImageData(0, 0, this.canvas.width, this.canvas.height);
  }

  private decode(picture: ImageData): Promise<string | null> {
    return new Promise((resolve) => {
      this.decoder.onmessage = ({ data }: MessageEvent<string | null>) => resolve(data);
      this.decoder.postMessage(picture, [picture.data.buffer]);
    });
  }
}

function trouble(error: unknown): CameraTrouble {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "none";
  return "failed";
}
