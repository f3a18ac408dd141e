import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { FlowRecord, MediumInfo } from "../../src/contracts/index.js";
import { reportData, renderPage, renderReport } from "../../src/report/index.js";
import { Store } from "../../src/store/index.js";
import { Chromium, chromiumPath } from "./chromium.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const CLIP = join(ROOT, "graphs", "demo", "clip.mp4");
const SPACES = [{ name: "lite-image-v1", threshold: 0.72, calibration: { foreignMedian: -0.01, identical: 1 } }];
const browser = chromiumPath();
const skip = browser === null ? "no Chromium on the PATH (CHROMIUM names one)" : false;

const dir = mkdtempSync(join(tmpdir(), "flow-report-"));
after(() => rmSync(dir, { recursive: true }));

/** A store made by the real program from the bundled clip, under a name that is markup: its path holds a whole script element. */
const real = join(dir, "real");
const HOSTILE_FOLDER = join(dir, "<script>alert(1)<");
const HOSTILE_FILE = join(HOSTILE_FOLDER, "script><img src=x onerror=alert(2)>.mp4");
let page = "";
const scenes: FlowRecord[] = [];

before(async () => {
  mkdirSync(HOSTILE_FOLDER);
  copyFileSync(CLIP, HOSTILE_FILE);
  execFileSync(process.execPath, [join(ROOT, "dist/src/cli/main.js"), "run", join(ROOT, "graphs/ego.yaml"), HOSTILE_FILE, "--store", real, "--quiet"], { stdio: ["ignore", "ignore", "inherit"] });
  await using store = await Store.open(real, { readOnly: true });
  page = renderReport(store, { spaces: SPACES, storeArgument: real, version: "0.0.0" });
  scenes.push(...store.records({ kind: "scene" }));
});

/** The page without what it carries as data and code. */
const markup = (html: string): string => html.replace(/<script\b[\s\S]*?<\/script>/g, "").replace(/<style>[\s\S]*?<\/style>/g, "");

describe("page of the bundled clip", () => {
  test("is at most 3 MB and holds each scene with its picture, caption and transcript", () => {
    assert.ok(Buffer.byteLength(page) <= 3_000_000, `${Buffer.byteLength(page)} bytes`);
    assert.ok(scenes.length >= 8);
    for (const scene of scenes) {
      assert.ok(page.includes(`<details class="card" id="s-${scene.id}"`), scene.id);
      assert.ok(page.includes(`<img id="p-${scene.id}" src="data:image/jpeg;base64,`), scene.id);
      for (const field of ["caption", "transcript"]) if (scene.fields[field]) assert.ok(page.includes(String(scene.fields[field])), `${scene.id} ${field}`);
    }
  });

  test("lanes are drawn from the stored rows", () => {
    for (const lane of ["scenes", "change", "motion", "loudness", "silence", "picture", "cues"]) assert.ok(page.includes(`class="lane lane-${lane}"`), lane);
    assert.equal(page.match(/class="cut"/g)?.length, scenes.length - 1);
    assert.match(page, /silence 0:5[23]\.\d – 0:59\.\d/);
  });

  test("a file name that is a script stays text", () => {
    assert.ok(page.includes("&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;.mp4"));
    assert.doesNotMatch(page, /<script>alert/);
    assert.doesNotMatch(page, /<img src=x/);
  });

  test("loads nothing: no address outside the page, a policy that forbids one", () => {
    assert.doesNotMatch(markup(page), /(?:src|href|action|data)="(?!#|data:)/);
    assert.match(page, /http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'"/);
    assert.doesNotMatch(markup(page), /\sstyle=|\son\w+="/);
  });

  test("tells the commands that repeat it, quoted for a shell", () => {
    assert.ok(page.replace(/<\/?span>/g, "").includes(`flow run ${join(ROOT, "graphs/ego.yaml")} &#39;${HOSTILE_FILE.replaceAll("<", "&lt;").replaceAll(">", "&gt;")}&#39; --store ${real}`));
  });

  test("every picture has an alternative text and no id is used twice", () => {
    for (const [image] of markup(page).matchAll(/<img\b[^>]*>/g)) assert.match(image, / alt="/);
    const ids = [...markup(page).matchAll(/\sid="([^"]+)"/g)].map((match) => match[1]);
    assert.equal(new Set(ids).size, ids.length);
  });

  test("the same store gives the same page", async () => {
    await using store = await Store.open(real, { readOnly: true });
    assert.equal(renderReport(store, { spaces: SPACES, storeArgument: real, version: "0.0.0" }), page);
  });

  test("the scene that is shown twice is the most similar to its first showing", async () => {
    await using store = await Store.open(real, { readOnly: true });
    const { media } = reportData(store, { spaces: SPACES });
    const at = (us: number) => media[0]!.scenes.find(({ startUs, endUs }) => startUs <= us && us < endUs)!;
    const [first, again] = [at(8_000_000), at(62_000_000)];
    assert.equal(first.similar[0]!.id, again.id);
    assert.ok(first.similar[0]!.same && first.similar[0]!.score > 0.8);
    assert.equal(first.similar.length, 5);
  });
});

const EVIL = `</script><script>alert(3)</script>"><img src=x onerror=alert(4)>'\u0000\ud800`;

const medium = (id: string, name: string): MediumInfo => ({ id, uri: `/media/${name}`, name, kind: "video", container: name, sizeBytes: 1, durationUs: 1_000_000_000, startUs: 0, video: null, audio: null, subtitles: [], memoisable: true });
const record = (over: Partial<FlowRecord>): FlowRecord => ({ kind: "scene", id: "0".repeat(16), parent: null, media: "a", startUs: 0, endUs: 1, fields: {}, vectors: {}, outcome: "done", ...over });

describe("what a store may hold", () => {
  test("markup in every text of the store stays text", async () => {
    await using store = await Store.open(join(dir, "evil"));
    const evil = { startUs: 0, endUs: 9_000_000, text: EVIL, label: EVIL, name: EVIL, value: 1, unit: EVIL, message: EVIL, atUs: 1 };
    await store.putMedium("a", { info: medium("a", EVIL), uris: [EVIL], complete: false, nodes: { [EVIL]: { op: EVIL, key: "k", rate: "all" } } });
    await store.commitRecord({ record: record({ kind: "media", id: "m".repeat(16), fields: { quality: { findings: [EVIL], damage: [evil], borders: { kind: EVIL } }, silence: [evil] } }), vectors: {} });
    await store.commitRecord({
      record: record({ endUs: 9_000_000, fields: { caption: EVIL, transcript: EVIL, attributes: [evil], events: [evil], cues: [evil], [EVIL]: EVIL, keyframes: [{ ptsUs: 0, thumbnail: EVIL }] }, vectors: { [EVIL]: { dims: 2, space: EVIL } }, outcome: EVIL as "done" }),
      vectors: { [EVIL]: Float32Array.of(1, 0) },
      blobs: { [EVIL]: Buffer.from(EVIL) },
    });
    await store.putFailure({ node: EVIL, operator: EVIL, medium: "a", uri: EVIL, startUs: 0, endUs: 1, error: { code: EVIL, message: EVIL, hint: EVIL }, permanent: false, atMs: 0 });
    await store.putRun({ id: EVIL, graph: EVIL, args: [EVIL], startedMs: 0, durationMs: 0, status: EVIL, summary: { digest: EVIL, nodes: { [EVIL]: { in: 1, done: 1, cached: 0, skipped: 0, dropped: 0, failed: 0, inFlight: 0 } } } });
    const html = renderReport(store, { storeArgument: EVIL, version: EVIL });
    assert.ok(html.split("&lt;/script&gt;&lt;script&gt;alert(3)").length > 20, "the texts are on the page");
    assert.doesNotMatch(html, /<script>alert|<img src=x|\u0000/);
    assert.equal(html.match(/<script\b/g)?.length, 2, "the data of one timeline and the page's own script");
    assert.equal(html.match(/<\/script>/g)?.length, 2);
    writeFileSync(join(dir, "evil.html"), html);
  });

  test("an empty store, and a medium without scenes or rows", async () => {
    await using store = await Store.open(join(dir, "empty"));
    assert.match(renderReport(store), /This store holds no media yet/);
    await store.putMedium("a", { info: { ...medium("a", "a.mp4"), durationUs: null }, uris: ["/media/a.mp4"], complete: false });
    const html = renderReport(store);
    assert.match(html, /No scenes are stored/);
    assert.match(html, /incomplete/);
  });

  test("rows rarer than the lane's points leave no holes but where they are missing; no sound, no lane of silence", async () => {
    await using store = await Store.open(join(dir, "sound"));
    const durationUs = 5_960_000;
    const audio = { index: 0, codec: "aac", sampleRate: 48_000, channels: 1, layout: "mono", startUs: 0, durationUs } as unknown as MediumInfo["audio"];
    // A row each 100 ms; one second is missing.
    const ptsUs = Float64Array.from({ length: 60 }, (_, i) => i * 100_000).filter((at) => at < 3_000_000 || at >= 4_000_000);
    for (const [id, sound] of [["a", audio], ["b", null]] as const) {
      await store.putMedium(id, { info: { ...medium(id, `${id}.m4a`), durationUs, audio: sound }, uris: [], complete: true, nodes: { levels: { op: "audio.levels", key: "k", rate: "all" } } });
      await store.commitRecord({ record: record({ kind: "media", id: id.repeat(16), media: id, fields: { silence: [] } }), vectors: {} });
    }
    await store.putBlock("a", "k", 0, { ptsUs, width: 1, columns: ["momentaryLufs"], data: new Float32Array(ptsUs.length).fill(-23), rates: { all: "all" }, adler: null, failures: [] });
    const { media } = reportData(store);
    const curve = media[0]!.timeline!.loudness!;
    const holes = curve.flatMap((value, i) => (value === null && curve[i - 1] !== null ? [Math.round((i / curve.length) * 60)] : []));
    assert.deepEqual(holes, [30], "only the second without rows");
    const lanes = (i: number): boolean => renderPage({ ...reportData(store), media: [media[i]!] }).includes('class="lane lane-silence"');
    assert.deepEqual([lanes(0), lanes(1)], [true, false]);
  });

  test("fields without a place of their own are words, not JSON", async () => {
    await using store = await Store.open(join(dir, "fields"));
    await store.putMedium("a", { info: medium("a", "a.mp4"), uris: [], complete: true });
    const objects = [{ label: "bird", kind: "animal", frames: 9, score: 0.9063, box: [1, 2, 3, 4] }, { label: "cat" }];
    await store.commitRecord({ record: record({ fields: { objects, faces: [], speech: { seconds: 1.23456, bestUs: 61_000_000, who: null }, spans: [{ startUs: 0, endUs: 2_000_000 }], sure: true } }), vectors: {} });
    assert.deepEqual(reportData(store).media[0]!.scenes[0]!.other, [["objects", "bird 0.91, cat"], ["faces", "none"], ["speech", "seconds 1.2346 · best 1:01.0"], ["spans", "0:00.0 – 0:02.0"], ["sure", "true"]]);
  });

  test("a file that could not be opened is listed without a time", async () => {
    await using store = await Store.open(join(dir, "unopened"));
    const failure = { node: "media", operator: "media.open", uri: "/bad.mp4", error: { code: "MEDIA_UNREADABLE", message: "no", hint: "" }, permanent: false, atMs: 0 };
    await store.putFailure({ ...failure, medium: "", startUs: 0, endUs: 0 });
    assert.doesNotMatch(renderReport(store), /0:00\.0/);
    await store.putFailure({ ...failure, medium: "a", node: "scene", startUs: 61_000_000, endUs: 61_000_000 });
    assert.match(renderReport(store), /<span class="time">1:01\.0<\/span>/);
  });

  test("a long store: bounded cards, evenly over the media, and the page says so", async () => {
    await using store = await Store.open(join(dir, "long"));
    const jpeg = Buffer.concat([Buffer.from([0xff, 0xd8]), Buffer.alloc(30_000)]);
    for (const [m, n] of [["a", 700], ["b", 3]] as const) {
      await store.putMedium(m, { info: medium(m, `${m}.mp4`), uris: [], complete: true });
      for (let i = 0; i < n; i++) {
        const id = `${m}${String(i).padStart(15, "0")}`;
        await store.commitRecord({ record: record({ id, media: m, startUs: i * 1_000_000, endUs: (i + 1) * 1_000_000, fields: { keyframes: [{ ptsUs: 0, thumbnail: "x" }] } }), vectors: {}, blobs: i === 0 && m === "a" ? { x: jpeg } : {} });
      }
    }
    const data = reportData(store, { maxScenes: 100, pictureBytes: 1_000_000 });
    assert.deepEqual(data.media.map(({ scenes, sceneCount }) => [scenes.length, sceneCount]), [[50, 700], [3, 3]]);
    assert.deepEqual(data.media[0]!.scenes.slice(0, 3).map(({ number }) => number), [1, 15, 29]);
    assert.equal(data.media[0]!.timeline!.scenes.length, 700);
    const html = renderPage(data);
    assert.match(html, /50 of 700 scenes are shown here/);
    assert.ok(html.length < 1_400_000, `${html.length} characters`);
  });
});

describe("in headless Chromium", { skip }, () => {
  let chromium: Chromium;
  const file = join(dir, "report.html");
  before(async () => {
    writeFileSync(file, page);
    chromium = await Chromium.launch(browser!);
  });
  after(() => chromium[Symbol.asyncDispose]());
  const address = pathToFileURL(file).href;

  for (const width of [390, 1280]) {
    for (const dark of [false, true]) {
      test(`${width} px, ${dark ? "dark" : "light"}: nothing wider than the page, no complaint, one request`, async () => {
        await chromium.open(address, { width, height: 844, dark });
        await chromium.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })");
        const { scroll, inner } = await chromium.evaluate<{ scroll: number; inner: number }>("({ scroll: document.documentElement.scrollWidth, inner: innerWidth })");
        assert.equal(inner, width);
        assert.ok(scroll <= inner, `${scroll} px wide`);
        const broken = await chromium.evaluate<string[]>("[...document.images].filter((image) => !image.hidden && !(image.complete && image.src.startsWith('data:'))).map((image) => image.outerHTML.slice(0, 80))");
        assert.deepEqual(broken, []);
        const light = await chromium.evaluate<number>("Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])");
        assert.equal(light < 128, dark);
        assert.deepEqual(chromium.complaints, []);
        assert.deepEqual(chromium.requests, [address]);
      });
    }
  }

  test("a page full of markup as text: nothing of it runs, loads or is refused; one phone wide", async () => {
    await chromium.open(pathToFileURL(join(dir, "evil.html")).href, { width: 390, height: 844 });
    await chromium.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })");
    assert.deepEqual(chromium.complaints, []);
    assert.equal(chromium.requests.length, 1);
    assert.ok((await chromium.evaluate<number>("document.documentElement.scrollWidth")) <= 390);
  });

  test("the policy stops what would be injected", async () => {
    writeFileSync(join(dir, "injected.html"), page.replace("<main", `<img src=x onerror="document.title='run'"><script>document.title='run'</script><main`));
    await chromium.open(pathToFileURL(join(dir, "injected.html")).href, { width: 1280, height: 900 });
    assert.notEqual(await chromium.evaluate("document.title"), "run");
    assert.ok(chromium.complaints.splice(0).some((text) => /Content Security Policy/.test(text)));
  });

  test("the filter leaves the scenes that have the words", async () => {
    await chromium.open(address, { width: 1280, height: 900 });
    const shown = (words: string): Promise<string[]> => chromium.evaluate(`(() => { const input = document.getElementById("filter"); input.value = ${JSON.stringify(words)}; input.dispatchEvent(new Event("input")); return [...document.querySelectorAll("[data-card]")].filter((card) => !card.hidden).map((card) => card.id.slice(2)); })()`);
    const truly = scenes.filter(({ fields }) => /red car/i.test(`${fields["transcript"]}`)).map(({ id }) => id);
    assert.equal(truly.length, 1);
    assert.deepEqual(await shown("RED  car"), truly);
    assert.deepEqual(await shown("no such words"), []);
    assert.equal((await shown("")).length, scenes.length);
  });

  test("a link to a scene opens it; the keyboard moves the timeline's cursor and opens the scene under it", async () => {
    await chromium.open(`${address}#s-${scenes[2]!.id}`, { width: 1280, height: 900 });
    const open = (): Promise<string[]> => chromium.evaluate("[...document.querySelectorAll('[data-card][open]')].map((card) => card.id.slice(2))");
    assert.deepEqual(await open(), [scenes[2]!.id]);
    await chromium.evaluate("document.querySelector('.lanes').focus()");
    for (const key of ["End", "PageUp", "Enter"]) await chromium.evaluate(`document.querySelector(".lanes").dispatchEvent(new KeyboardEvent("keydown", { key: "${key}" }))`);
    assert.match(await chromium.evaluate<string>("document.querySelector('.readout').textContent"), new RegExp(`scene ${scenes.length}`));
    assert.deepEqual(new Set(await open()), new Set([scenes[2]!.id, scenes.at(-1)!.id]));
    assert.deepEqual(chromium.complaints, []);
  });
});
