// A downloaded list on the device. Its large parts stand apart: they are written only when they have changed.

import type { Memory } from "./memory";
import type { Download } from "./server";

type Rest = Omit<Download, "boxes" | "seen">;

export async function keptDownload(memory: Memory, listId: string): Promise<Download | null> {
  const [rest, boxes, seen] = await Promise.all([
    memory.get<Rest>(`list:${listId}`),
    memory.get<Download["boxes"]>(`boxes:${listId}`),
    memory.get<Download["seen"]>(`seen:${listId}`),
  ]);
  return rest && boxes && seen ? { ...rest, boxes, seen } : null;
}

export function keepDownload(memory: Memory, download: Download, before: Download | null): Promise<void> {
  const { boxes, seen, ...rest } = download;
  return memory.setAll({
    [`list:${rest.listId}`]: rest,
    ...(boxes !== before?.boxes && { [`boxes:${rest.listId}`]: boxes }),
    ...(seen !== before?.seen && { [`seen:${rest.listId}`]: seen }),
  });
}
