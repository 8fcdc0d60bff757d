/**
 * Reads a page: its fenced blocks, what the comments around them say, its links and headings. It runs nothing.
 *
 * The comments (see CONTRIBUTING.md):
 *
 *     <!-- file: actors.ts -->     the block below is this file; other blocks of the page may import it
 *     <!-- until: Worker started -->  the program below doesn't end by itself: it is stopped once it has printed this
 *     <!-- beside: worker.ts -->   the program below runs while that file of the page runs as another process
 *     <!-- needs: redis -->        the program below needs this server
 *     <!-- setup … -->             code before the block below, not shown
 *     <!-- finish … -->            code after the block above, not shown
 *     <!-- prints -->              the text block below is what the program above prints
 *     <!-- not run: reason -->     the block below is shown only
 */

/** One fenced block of a page. */
export interface Block {
  readonly document: string
  readonly line: number
  /** `docs/workers.md:42`, for messages. */
  readonly where: string
  readonly language: string
  /** As on the page. */
  readonly code: string
  file?: string
  until?: string
  beside?: string
  needs?: string
  notRun?: string
  setup: string
  finish: string
  /** What it prints. */
  prints?: string
  /** Whether it is the output of another block. */
  isOutput?: boolean
}

/** A parsed page. */
export interface Document {
  readonly page: string
  readonly blocks: readonly Block[]
  readonly links: readonly { readonly target: string; readonly line: number }[]
  readonly anchors: readonly string[]
  /** Comments that aren't understood. */
  readonly problems: readonly string[]
}

/** Whether a block is a program. */
export function isProgram({ language, notRun }: Block): boolean {
  return (language === 'ts' || language === 'js') && notRun === undefined
}

/** Parses a page. */
export function readDocument(page: string, text: string): Document {
  const blocks: Block[] = []
  const problems: string[] = []
  const links: { target: string; line: number }[] = []
  const anchors: string[] = []
  let above: string[] = []
  const lines = text.split('\n')
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] as string
    const fence = line.match(/^```(\w*)$/)
    if (fence) {
      const end = lines.indexOf('```', index + 1)
      const block = { document: page, line: index + 1, where: `${page}:${index + 1}`, language: fence[1] ?? '' }
      const code = lines.slice(index + 1, end).join('\n')
      const made: Block = { ...block, code, setup: '', finish: '' }
      for (const comment of above)
        if (!apply(comment, made, blocks)) problems.push(`${made.where}: <!-- ${comment} -->`)
      above = []
      blocks.push(made)
      index = end
    } else if (line.startsWith('<!--')) {
      const end = lines.findIndex((one, at) => at >= index && one.endsWith('-->'))
      const comment = lines
        .slice(index, end + 1)
        .join('\n')
        .slice(4, -3)
        .trim()
      const last = blocks.at(-1)
      if (comment.startsWith('finish\n') && last) last.finish += comment.slice(7)
      else above.push(comment)
      index = end
    } else if (line !== '') {
      for (const comment of above) problems.push(`${page}:${index + 1}: <!-- ${comment} --> stands above no block`)
      above = []
      if (line.startsWith('#')) anchors.push(anchorOf(line))
      for (const [, target] of line.replaceAll(/`[^`]*`/g, '').matchAll(/\]\(([^)]+)\)/g)) {
        if (!/^https?:/.test(target as string)) links.push({ target: target as string, line: index + 1 })
      }
    }
  }
  return { page, blocks, links, anchors, problems }
}

/** Returns whether the comment was understood. */
function apply(comment: string, block: Block, before: readonly Block[]): boolean {
  if (comment.startsWith('setup\n')) {
    block.setup += comment.slice(6)
    return true
  }
  if (comment === 'prints') {
    const program = before.findLast(isProgram)
    if (!program || block.language !== 'text') return false
    program.prints = block.code
    block.isOutput = true
    return true
  }
  const [, name, value] = comment.match(/^(file|until|beside|needs|not run): (.+)$/) ?? []
  if (value === undefined) return false
  if (name === 'file') block.file = value
  else if (name === 'until') block.until = value
  else if (name === 'beside') block.beside = value
  else if (name === 'needs') block.needs = value
  else block.notRun = value
  return true
}

/** The anchor of a heading, as on GitHub. */
function anchorOf(heading: string): string {
  return heading
    .replace(/^#+ /, '')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}
