/** What COCO's and Pascal VOC's classes are kinds of (COCO's supercategories, as far as people would look for them by such a word). */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  animal: ["bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"],
  vehicle: ["bicycle", "car", "motorcycle", "motorbike", "airplane", "aeroplane", "bus", "train", "truck", "boat"],
  food: ["banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake"],
  furniture: ["chair", "couch", "sofa", "bed", "dining table", "bench"],
  tableware: ["bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl"],
  luggage: ["backpack", "handbag", "suitcase"],
  appliance: ["microwave", "oven", "toaster", "refrigerator"],
};

const byLabel = new Map(Object.entries(KINDS).flatMap(([kind, labels]) => labels.map((label) => [label, kind])));

/** `dog` → animal; null for what is no kind of anything here. */
export const kindOf = (label: string): string | null => byLabel.get(label) ?? null;
