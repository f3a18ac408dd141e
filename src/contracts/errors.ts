/** Process exit codes (DESIGN §2). */
export const EXIT = { ok: 0, failedItems: 1, badInput: 2, environment: 3, interrupted: 130 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface FlowErrorData {
  code: string;
  message: string;
  hint: string;
  node?: string;
  item?: string;
}

export interface FlowErrorOptions {
  hint: string;
  node?: string | undefined;
  item?: string | undefined;
  cause?: unknown;
  /** Exit code when the error ends the command. */
  exit?: ExitCode;
  /** A permanent failure is not retried by a rerun (a corrupt item stays corrupt). */
  permanent?: boolean;
}

/** Every error that a user can meet: what happened (`message`), a stable `code`, and what to do next (`hint`). */
export class FlowError extends Error {
  readonly code: string;
  readonly hint: string;
  readonly node: string | undefined;
  readonly item: string | undefined;
  readonly exit: ExitCode;
  readonly permanent: boolean;

  constructor(code: string, message: string, options: FlowErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "FlowError";
    this.code = code;
    this.hint = options.hint;
    this.node = options.node;
    this.item = options.item;
    this.exit = options.exit ?? EXIT.failedItems;
    this.permanent = options.permanent ?? false;
  }

  toJSON(): FlowErrorData {
    return {
      code: this.code,
      message: this.message,
      hint: this.hint,
      ...(this.node === undefined ? {} : { node: this.node }),
      ...(this.item === undefined ? {} : { item: this.item }),
    };
  }
}

/** Any thrown value as a FlowError; an unknown one keeps its message and is marked as a defect of ours. */
export function toFlowError(thrown: unknown, fallbackCode = "INTERNAL"): FlowError {
  if (thrown instanceof FlowError) return thrown;
  const data = thrown as Partial<FlowErrorData> | null;
  if (data && typeof data === "object" && typeof data.code === "string" && typeof data.hint === "string") {
    return new FlowError(data.code, String(data.message), { hint: data.hint, node: data.node, item: data.item, cause: thrown });
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new FlowError(fallbackCode, message, {
    hint: "This is not an error we expected: please report it with the output of `flow doctor --json`.",
    cause: thrown,
  });
}
