/** Memory that calls use one after the other, so that the garbage collector never sees their inputs: 10 MB for a batch of pictures. */
export class Scratch {
  #memory = new Float32Array(0);

  /** `length` floats of any content; what was taken before is overwritten. */
  take(length: number): Float32Array<ArrayBuffer> {
    if (this.#memory.length < length) this.#memory = new Float32Array(length);
    return this.#memory.subarray(0, length);
  }
}

/** The one of this worker, for all its operators: it runs one call at a time, and ONNX Runtime has read the input when it answers. */
export const scratch = new Scratch();
