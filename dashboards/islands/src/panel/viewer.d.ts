// The viewer's own types reach into its sources, which are not written for our settings. This is what we use of it
// (see `paths` in tsconfig.json).

declare const viewer: { init_client(wasm: Promise<Response>, module: unknown): Promise<void> };
export default viewer;
