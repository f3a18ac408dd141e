import type { OperatorDefinition } from "../contracts/index.js";
import { audioEmbed } from "./audio/audio.embed.js";
import { imageEmbed } from "./image/image.embed.js";
import { imageThumbnail } from "./image/image.thumbnail.js";
import { textEmbed } from "./text/text.embed.js";

/** Every built-in operator: the one list. `any`: each has its own config type, which its schema checks. */
const operators: readonly OperatorDefinition<any>[] = [audioEmbed, imageEmbed, imageThumbnail, textEmbed];

/** Operators by name. */
export const catalogue: ReadonlyMap<string, OperatorDefinition> = new Map(operators.map((operator) => [operator.name, operator as OperatorDefinition]));
