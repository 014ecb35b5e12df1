// A table to turn and group as one likes: Perspective, from our own server, fed with Arrow. It comes only where it is used.

import perspective from "@perspective-dev/client";
import clientWasm from "@perspective-dev/client/dist/wasm/perspective-js.wasm?url";
import serverWasm from "@perspective-dev/server/dist/wasm/perspective-server.wasm?url";
import viewerLoader from "@perspective-dev/viewer";
import * as viewerModule from "@perspective-dev/viewer/dist/wasm/perspective-viewer.js";
import viewerWasm from "@perspective-dev/viewer/dist/wasm/perspective-viewer.wasm?url";
import "@perspective-dev/viewer-datagrid";
import "@perspective-dev/viewer/themes/pro.css";
import "@perspective-dev/viewer/themes/pro-dark.css";
import { type Read, readArrow } from "../arrow/read";
import { bytesOf } from "../arrow/write";
import { type PanelData, dimensions, metrics } from "../data/panel";
import { isDark } from "../theme";
import { el } from "../dom";

type Viewer = HTMLElement & {
  load(client: unknown): Promise<void>;
  restore(settings: Record<string, unknown>): Promise<void>;
  delete(): Promise<void>;
};
type Client = Awaited<ReturnType<typeof perspective.worker>>;
type Table = Awaited<ReturnType<Client["table"]>>;

let count = 0;
let started: Promise<Client> | undefined;

function start(): Promise<Client> {
  started ??= (async () => {
    perspective.init_server(fetch(serverWasm));
    perspective.init_client(fetch(clientWasm));
    // Left to itself, the viewer imports its module from a blob, which the page's policy forbids.
    await viewerLoader.init_client(fetch(viewerWasm), viewerModule);
    return perspective.worker();
  })();
  return started;
}

const theme = () => (isDark() ? "Pro Dark" : "Pro Light");

const LOOKS = 40;

/** Its button for columns, groups and filters has a picture and no name, and is not there at once. */
function named(viewer: Viewer, looks = LOOKS): void {
  const tab = viewer.querySelector("perspective-viewer-tab");
  const buttons = [tab, tab?.shadowRoot, viewer.shadowRoot].map((root) => root?.querySelector(".psp-tab-settings"));
  for (const button of buttons) button?.setAttribute("aria-label", "Columns, groups and filters");
  if (looks > 0 && !buttons.some(Boolean)) setTimeout(() => named(viewer, looks - 1), 50);
}

/** The first dimension goes down, the second across, and the first metric stands where they meet; readers may turn it. */
function turned(panel: PanelData): Record<string, unknown> {
  const [down, across] = dimensions(panel).map(({ label }) => label);
  const [metric] = metrics(panel).map(({ label }) => label);
  if (!down || !across || !metric) return {};
  return { group_by: [down], split_by: [across], columns: [metric] };
}

/** What readers call the columns of a panel's rows. */
function labelsOf({ columns }: PanelData): Map<string, string> {
  const pairs = columns.flatMap(({ name, label, before }): [string, string][] => [
    [name, label],
    ...(before ? [[before, `${label}, before`] as [string, string]] : []),
  ]);
  return new Map(pairs);
}

export class Pivot {
  private constructor(
    private readonly viewer: Viewer,
    private readonly table: Table,
    private readonly rows: (() => Promise<ArrayBuffer>) | null,
  ) {}

  /** Shows the rows of an address that answers Arrow. */
  static async open(host: HTMLElement, address: string, panel: PanelData): Promise<Pivot> {
    const rows = async () => {
      const response = await fetch(address);
      if (!response.ok || !response.body) throw new Error(`the rows could not be had (${response.status})`);
      return bytesOf(await readArrow(response.body), labelsOf(panel));
    };
    return Pivot.made(host, await rows(), rows, turned(panel));
  }

  /** Shows rows that are here already. */
  static of(host: HTMLElement, came: Read): Promise<Pivot> {
    return Pivot.made(host, bytesOf(came), null, {});
  }

  private static async made(
    host: HTMLElement,
    arrow: ArrayBuffer,
    rows: (() => Promise<ArrayBuffer>) | null,
    view: Record<string, unknown>,
  ): Promise<Pivot> {
    const client = await start();
    const name = `rows-${(count += 1)}`;
    const table = await client.table(arrow, { name });
    const viewer = el("perspective-viewer" as "div", { class: "pivot" }) as unknown as Viewer;
    host.replaceChildren(viewer);
    await viewer.load(client);
    const settings = innerWidth > 900 && host.dataset.settings === "open";
    const title = host.dataset.title ?? "Rows";
    await viewer.restore({ table: name, plugin: "Datagrid", title, theme: theme(), settings, ...view });
    named(viewer);
    return new Pivot(viewer, table, rows);
  }

  /** What can't be had now comes with what is new next. */
  async refresh(): Promise<void> {
    const rows = await this.rows?.().catch(() => null);
    if (rows) await this.table.replace(rows);
  }

  async repaint(): Promise<void> {
    await this.viewer.restore({ theme: theme() });
  }

  async gone(): Promise<void> {
    this.viewer.remove();
    await this.viewer.delete();
    await this.table.delete();
  }
}
