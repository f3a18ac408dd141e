/**
 * What a language model says, as a caption: without the tokens of its template, without the name of the role that speaks, in one line. A text that was
 * `cut` at its token limit ends with its last whole sentence, if it has one. Empty when nothing with a letter or digit is left.
 */
export function cleanCaption(text: string, cut = false): string {
  let clean = text
    .replace(/<\|[^|<>]{0,64}\|>|<\/?(?:s|pad|unk|bos|eos|end_of_utterance|fake_token_around_image|global-img|image)>|\[(?:PAD|CLS|SEP|UNK)\]/g, " ")
    .replace(/[\p{Cc}\s]+/gu, " ")
    .trim()
    .replace(/^(?:assistant|caption|answer|description)\s*:\s*/i, "")
    .replace(/^["“”'‘’](.*)["“”'‘’]$/u, "$1")
    .replace(/\s+([.,;:!?])/g, "$1")
    .trim();
  if (cut && !/[.!?…]["”’)]*$/u.test(clean)) {
    const whole = /^.*[.!?…]["”’)]*(?=\s)/u.exec(clean)?.[0];
    clean = whole ?? `${clean.replace(/[\s,;:–-]+$/u, "")} …`;
  }
  return /[\p{L}\p{N}]/u.test(clean) ? clean : "";
}

/** Captions of a scene's keyframes as one description: each said once, in time order, a sentence each. */
export function combineCaptions(captions: readonly string[]): string {
  const said = new Set<string>();
  const sentences: string[] = [];
  for (const caption of captions) {
    const words = caption.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ").trim();
    if (words === "" || said.has(words)) continue;
    said.add(words);
    const sentence = caption.charAt(0).toUpperCase() + caption.slice(1);
    sentences.push(/[.!?…]["”’)]*$/u.test(sentence) ? sentence : `${sentence}.`);
  }
  return sentences.join(" ");
}
