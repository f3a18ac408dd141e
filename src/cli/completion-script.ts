export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

export interface CommandWords {
  name: string;
  summary: string;
  options: { long: string; short?: string; summary: string; value: "none" | "word" | "file" }[];
  /** `flow models pull`: words that may follow the command's name, each with its own options. */
  subcommands: Omit<CommandWords, "subcommands">[];
}

/** A script that completes command names, their options and file names; made from the commands themselves. What a graph or a store knows it asks `flow completion words`. */
export function completionScript(shell: Shell, commands: readonly CommandWords[]): string {
  return shell === "bash" ? bash(commands) : shell === "zsh" ? zsh(commands) : fish(commands);
}

const longs = (...commands: Pick<CommandWords, "options">[]): string => [...new Set([...commands.flatMap(({ options }) => options.map((option) => option.long)), "--help"])].join(" ");
const below = ({ subcommands }: CommandWords): string => subcommands.map(({ name }) => name).join(" ");

function bash(commands: readonly CommandWords[]): string {
  return `# flow: bash completion
_flow() {
  local word="\${COMP_WORDS[COMP_CWORD]}" command="\${COMP_WORDS[1]}" options="" found
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map((c) => c.name).join(" ")} help --help --version" -- "$word"))
    return
  fi
  case "$command" in
${commands.filter((c) => c.subcommands.length > 0).map((c) => `    ${c.name}) if [ "$COMP_CWORD" -eq 2 ]; then COMPREPLY=($(compgen -W "${below(c)}" -- "$word")); return; fi ;;`).join("\n")}
  esac
  case "$command" in
${commands.map((c) => (c.subcommands.length > 0 ? `    ${c.name})\n      case "\${COMP_WORDS[2]}" in\n${c.subcommands.map((sub) => `        ${sub.name}) options="${longs(sub)}" ;;`).join("\n")}\n        *) options="${longs(c)}" ;;\n      esac ;;` : `    ${c.name}) options="${longs(c)}" ;;`)).join("\n")}
    help) COMPREPLY=($(compgen -W "${commands.map((c) => c.name).join(" ")}" -- "$word")); return ;;
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
    *)
      # No answer: bash completes files by itself, whatever is in their names.
      COMPREPLY=()
      while IFS= read -r found; do COMPREPLY+=("$found"); done < <(flow completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
      case "\${COMPREPLY[0]}" in *=) compopt -o nospace 2>/dev/null ;; esac ;;
  esac
}
complete -o bashdefault -o default -F _flow flow`;
}

function zsh(commands: readonly CommandWords[]): string {
  const text = (summary: string): string => summary.replaceAll("'", "'\\''").replaceAll("[", "(").replaceAll("]", ")").replaceAll(":", "\\:");
  const option = ({ long, short, summary, value }: CommandWords["options"][number]): string =>
    [...(short ? [short] : []), `${long}${value === "none" ? "" : "="}`].map((flag) => `'${value === "none" ? "" : "*"}${flag}[${text(summary)}]${value === "none" ? "" : ":value:_flow_words"}'`).join(" ");
  const rest = (options: CommandWords["options"], ...operands: string[]): string => `_arguments ${[...options.map(option), "'--help[show the help]'", ...operands, "'*:file:_flow_words'"].join(" ")}`;
  const chosen = (c: CommandWords): string =>
    c.subcommands.length === 0
      ? rest(c.options)
      : `case "$(( CURRENT > 2 ))$words[2]" in\n${c.subcommands.map((sub) => `        1${sub.name}) shift words; (( CURRENT-- )); ${rest(sub.options)} ;;`).join("\n")}\n        *) ${rest(c.options, `'1:subcommand:(${below(c)})'`)} ;;\n      esac`;
  return `#compdef flow
_flow_words() {
  local -a found
  found=("\${(@f)$(flow completion words -- "\${(@)line_so_far}" "\${words[CURRENT]}" 2>/dev/null)}")
  found=(\${found:#})
  if (( ! \${#found} )); then _files; return; fi
  compadd -S '' -- "\${(@M)found:#*=}"
  compadd -- "\${(@)found:#*=}"
}
_flow() {
  local -a commands line_so_far
  line_so_far=("\${(@)words[2,CURRENT-1]}")
  commands=(
${commands.map((c) => `    '${c.name}:${text(c.summary)}'`).join("\n")}
    'help:show the help of a command'
  )
  if (( CURRENT == 2 )); then
    if [[ "$words[2]" == -* ]]; then compadd -- --help --version; return; fi
    _describe 'command' commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$command" in
${commands.map((c) => `    ${c.name}) ${chosen(c)} ;;`).join("\n")}
    help) _describe 'command' commands ;;
  esac
}
if [ "$funcstack[1]" = "_flow" ]; then _flow "$@"; else compdef _flow flow; fi`;
}

function fish(commands: readonly CommandWords[]): string {
  const text = (summary: string): string => `'${summary.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const words = "'(flow completion words -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'";
  const lines = ["# flow: fish completion", `complete -c flow -n 'not __fish_use_subcommand' -a ${words}`, "complete -c flow -s h -l help -d 'show the help'", "complete -c flow -n __fish_use_subcommand -s V -l version -d 'print the version'", "complete -c flow -n __fish_use_subcommand -f -a help -d 'show the help of a command'"];
  for (const c of commands) {
    lines.push(`complete -c flow -n __fish_use_subcommand -f -a ${c.name} -d ${text(c.summary)}`);
    for (const sub of c.subcommands) lines.push(`complete -c flow -n '__fish_seen_subcommand_from ${c.name}; and not __fish_seen_subcommand_from ${below(c)}' -f -a ${sub.name} -d ${text(sub.summary)}`);
    for (const [name, { options }] of [[c.name, c] as const, ...c.subcommands.map((sub) => [sub.name, sub] as const)]) for (const option of options) {
      lines.push(`complete -c flow -n '__fish_seen_subcommand_from ${c.name}${name === c.name ? "" : `; and __fish_seen_subcommand_from ${name}`}'${option.short ? ` -s ${option.short.slice(1)}` : ""} -l ${option.long.replace(/^--/, "")}${option.value === "none" ? "" : ` ${option.value === "file" ? "-r" : "-x"} -a ${words}`} -d ${text(option.summary)}`);
    }
  }
  return lines.join("\n");
}
