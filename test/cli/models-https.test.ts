import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer as createProxy } from "node:http";
import { createServer } from "node:https";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { stringify } from "yaml";
import type { ModelsPullDocument } from "../../src/cli/json.js";
import { bytes, sendRange } from "../models/hub-server.js";
import { flow } from "./spawn.js";

/** A certificate for localhost that only this test trusts; null without openssl. */
function certificate(dir: string): { key: Buffer; cert: Buffer; file: string } | null {
  try {
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", join(dir, "key.pem"), "-out", join(dir, "cert.pem")], { stdio: "ignore" });
  } catch {
    return null;
  }
  return { key: readFileSync(join(dir, "key.pem")), cert: readFileSync(join(dir, "cert.pem")), file: join(dir, "cert.pem") };
}

test("https through a CONNECT proxy; a redirect from https to http, and a certificate nobody signed, are refused", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "flow-models-https-"));
  const tls = certificate(root);
  if (!tls) return t.skip("no openssl here");
  const body = bytes(50_000);
  let redirect: string | null = null;
  const hub = createServer({ key: tls.key, cert: tls.cert }, (request, response) => {
    if (redirect !== null) return void response.writeHead(302, { location: redirect }).end();
    response.setHeader("x-repo-commit", "d".repeat(40));
    sendRange(request, response, body, '"etag"');
  });
  const asked: string[] = [];
  const proxy = createProxy().on("connect", (request, socket, head) => {
    asked.push(`${request.url} ${request.headers["proxy-authorization"] ?? ""}`);
    const [host, port] = request.url!.split(":");
    const onward = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
  });
  const listening = [hub, proxy].map((server) => new Promise<void>((resolve) => server.listen(0, "localhost", resolve)));
  await Promise.all(listening);
  t.after(() => [hub, proxy].forEach((server) => (server.closeAllConnections(), server.close())));
  const port = (server: typeof hub | typeof proxy): number => (server.address() as AddressInfo).port;
  writeFileSync(join(root, "tiny.yaml"), stringify({ id: "tiny", task: "none", summary: "s", licence: "MIT", runtime: "transformers", source: { huggingface: "org/name", revision: "d".repeat(40) }, files: [{ path: "a.onnx" }, { path: "b.onnx" }], limits: ["none"] }));
  const pull = async (cache: string, more: Record<string, string>): Promise<ModelsPullDocument & { code: number | null }> => {
    const env = { FLOW_CACHE_DIR: join(root, cache), FLOW_MODELS_DIR: root, HF_ENDPOINT: `https://localhost:${port(hub)}`, HTTPS_PROXY: "", https_proxy: "", NO_PROXY: "", no_proxy: "", ...more };
    const { stdout, code } = await flow(["models", "pull", "tiny", "--json"], { env, cwd: root });
    return { ...(JSON.parse(stdout) as ModelsPullDocument), code };
  };
  const trusted = { NODE_EXTRA_CA_CERTS: tls.file };
  const through = await pull("one", { ...trusted, HTTPS_PROXY: `http://me:secret@localhost:${port(proxy)}` });
  assert.equal(through.code, 0, JSON.stringify(through.error));
  assert.deepEqual(through.pulled.map(({ size }) => size), [50_000, 50_000]);
  assert.deepEqual([...new Set(asked)], [`localhost:${port(hub)} Basic ${Buffer.from("me:secret").toString("base64")}`]);
  redirect = "http://localhost:1/plain";
  assert.equal((await pull("two", trusted)).error?.code, "MODEL_REDIRECT");
  redirect = null;
  const untrusted = await pull("three", { HTTPS_PROXY: "" });
  assert.equal(untrusted.code, 3);
  assert.equal(untrusted.error?.code, "MODEL_NETWORK");
  assert.match(untrusted.error?.message ?? "", /self-signed certificate/);
  assert.match(untrusted.error?.hint ?? "", /NODE_EXTRA_CA_CERTS/);
});
