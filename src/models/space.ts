import type { ModelManifest } from "../contracts/index.js";

/** The vectors of the model's space are its own. Another model of that space (the text half of CLIP or CLAP) only reads queries into it: nothing that it makes is identical to what lies there. */
export const fillsItsSpace = ({ space }: Pick<ModelManifest, "space">): boolean => space !== null && space.calibration.identical === 1;

/** Each vector space with the numbers of the model that fills it. */
export function spacesOf(models: readonly ModelManifest[]): NonNullable<ModelManifest["space"]>[] {
  return models.filter(fillsItsSpace).map(({ space }) => space!);
}
