// What the device keeps over a restart: a few named values, and its scans. All of it in IndexedDB.

import type { Scan } from "./model";

const VERSION = 1;
/** Of scans that the server knows, so many are kept to look at. */
const MOST_SCANS = 500;

export class Memory {
  private constructor(private readonly db: IDBDatabase) {}

  static async open(name = "bilten-scanner"): Promise<Memory> {
    const request = indexedDB.open(name, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("values");
      request.result.createObjectStore("scans", { keyPath: "nonce" }).createIndex("scannedAt", "scannedAt");
    };
    return new Memory(await done(request));
  }

  get<T>(key: string): Promise<T | undefined> {
    return done(this.db.transaction("values").objectStore("values").get(key));
  }

  set(key: string, value: unknown): Promise<void> {
    return this.setAll({ [key]: value });
  }

  /** All of them or none. */
  setAll(named: Record<string, unknown>): Promise<void> {
    return this.write("values", (values) => {
      for (const [key, value] of Object.entries(named)) values.put(value, key);
    });
  }

  /** All, the oldest first. */
  scans(): Promise<Scan[]> {
    return done(this.db.transaction("scans").objectStore("scans").index("scannedAt").getAll());
  }

  /** Resolves when the scans are on the disk. */
  keep(...scans: Scan[]): Promise<void> {
    return this.write("scans", (store) => {
      for (const scan of scans) store.put(scan);
    });
  }

  forget(scans: Scan[]): Promise<void> {
    return this.write("scans", (store) => {
      for (const { nonce } of scans) store.delete(nonce);
    });
  }

  /** Leaves nothing of a device that must not know anything any more. */
  async wipe(): Promise<void> {
    await this.write("scans", (store) => store.clear());
    await this.write("values", (store) => store.clear());
  }

  close(): void {
    this.db.close();
  }

  private write(name: string, change: (store: IDBObjectStore) => void): Promise<void> {
    const transaction = this.db.transaction(name, "readwrite", { durability: "strict" });
    change(transaction.objectStore(name));
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  }
}

/** The oldest scans that nobody waits for, beyond what is kept. */
export function surplus(scans: readonly Scan[]): Scan[] {
  const settled = scans.filter(({ state, undo }) => state === "sent" && undo !== "asked");
  return settled.slice(0, Math.max(0, settled.length - MOST_SCANS));
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
