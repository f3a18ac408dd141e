// Writes the ViT-B/32-shaped model in a process of its own, whose memory goes with it: `node vit-file.js FILE`. Prints the manifest.
import { writeVit } from "./vit.js";

console.log(JSON.stringify(writeVit(process.argv[2]!)));
