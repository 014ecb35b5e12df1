// What a door hears and feels, so that nobody has to look: high and short is good, low and twice is bad.

let audio: AudioContext | null = null;
let sound = true;

/** Browsers let a page make sounds only after somebody has touched it. */
export function allowSound(): void {
  if (!("AudioContext" in window)) return;
  audio ??= new AudioContext();
  void audio.resume();
}

export function useSound(on: boolean): void {
  sound = on;
}

export const usesSound = (): boolean => sound;

export function accepted(): void {
  tones([[880, 0], [1320, 0.11]], 0.12, "sine");
  vibrate(80);
}

export function refused(): void {
  tones([[220, 0], [165, 0.24]], 0.2, "square");
  vibrate([180, 90, 180]);
}

function vibrate(pattern: number | number[]): void {
  navigator.vibrate?.(pattern);
}

function tones(notes: [hertz: number, after: number][], seconds: number, type: OscillatorType): void {
  if (!audio || !sound || audio.state !== "running") return;
  for (const [hertz, after] of notes) {
    const [start, tone, volume] = [audio.currentTime + after, audio.createOscillator(), audio.createGain()];
    tone.type = type;
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(type === "square" ? 0.12 : 0.3, start);
    volume.gain.exponentialRampToValueAtTime(0.001, start + seconds);
    tone.connect(volume).connect(audio.destination);
    tone.start(start);
    tone.stop(start + seconds);
  }
}
