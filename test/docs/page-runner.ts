/**
 * Compiles and runs the programs of the pages: in a temporary folder with a new build of dramatis in its
 * `node_modules`, and one folder per page, with the page's blocks as files.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Block } from './page-reader.js'

/** The outcome of a block. */
export interface End {
  readonly block: Block
  readonly skipped?: string
  readonly problem?: string
}

/** How long a program may take, in milliseconds. */
const patience = 20_000

export class PageRunner {
  readonly ends: End[] = []
  readonly #folder = mkdtempSync(join(tmpdir(), 'dramatis-docs-'))
  readonly #servers = new Map<string, { url: string; process: ChildProcess } | string>()
  #runs = 0

  constructor(
    private readonly root: string,
    private readonly blocks: readonly Block[],
  ) {}

  /** Builds dramatis into the folder, as it would be installed. */
  async open(): Promise<void> {
    const modules = join(this.#folder, 'node_modules')
    mkdirSync(join(modules, 'dramatis'), { recursive: true })
    for (const name of readdirSync(join(this.root, 'node_modules'))) {
      if (name !== 'dramatis') symlinkSync(join(this.root, 'node_modules', name), join(modules, name))
    }
    cpSync(join(this.root, 'package.json'), join(modules, 'dramatis', 'package.json'))
    const dist = join(modules, 'dramatis', 'dist')
    // Type errors are reported by `npm run types`; here the code only has to run.
    await this.#tsc('-p', join(this.root, 'tsconfig.build.json'), '--outDir', dist)
    const brokers = join(this.root, 'brokers')
    cpSync(brokers, join(dist, 'brokers'), { recursive: true, filter: (path) => !path.endsWith('.ts') })
    if (this.blocks.some(({ needs }) => needs === 'redis')) this.#servers.set('redis', await this.#startRedis())
  }

  async close(): Promise<void> {
    for (const server of this.#servers.values()) if (typeof server !== 'string') server.process.kill()
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  /** Compiles every block against the declarations that users get. */
  async compile(): Promise<{ block: Block; complaints: string }[]> {
    for (const block of this.blocks) {
      if (this.#missing(block)) continue
      const file = join(this.#folder, 'pages', pathOf(block))
      mkdirSync(dirname(file), { recursive: true })
      // The same change that the compiler makes to imports, for the names of modules.
      const code = block.code.replaceAll(/(modules: \['[^']+)\.ts'/g, "$1.js'")
      const whole = `${block.setup}\n${code}\n${block.finish}\nexport {}\n`
      const server = this.#servers.get('redis')
      const url = typeof server === 'object' ? server.url : undefined
      writeFileSync(file, url ? whole.replaceAll('redis://localhost:6379', url) : whole)
    }
    writeFileSync(join(this.#folder, 'package.json'), '{ "type": "module" }')
    const compilerOptions = {
      target: 'ES2022',
      lib: ['ES2023', 'ESNext.Disposable'],
      module: 'NodeNext',
      types: ['node'],
      strict: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: true,
      allowJs: true,
      checkJs: false,
      rewriteRelativeImportExtensions: true,
      sourceMap: true,
      rootDir: 'pages',
      outDir: 'run',
    }
    const config = join(this.#folder, 'tsconfig.json')
    writeFileSync(config, JSON.stringify({ compilerOptions, include: ['pages'] }))
    const said = await this.#tsc('-p', config, '--pretty', 'false')
    if (/^error /m.test(said)) throw new Error(said)
    return this.blocks.map((block) => {
      const own = said.split('\n').filter((line) => line.includes(`${pathOf(block)}(`))
      return { block, complaints: own.join('\n') }
    })
  }

  /** Runs every block, two at a time. */
  async runAll(): Promise<void> {
    const beside = new Set(this.blocks.map((block) => block.beside && `${block.document} ${block.beside}`))
    const waiting = this.blocks.filter((block) => !beside.has(`${block.document} ${block.file}`))
    const lane = async (): Promise<void> => {
      for (let block = waiting.shift(); block; block = waiting.shift()) this.ends.push(await this.#run(block))
    }
    await Promise.all([lane(), lane()])
    this.ends.sort((a, b) => this.blocks.indexOf(a.block) - this.blocks.indexOf(b.block))
  }

  async #run(block: Block): Promise<End> {
    const skipped = this.#missing(block)
    if (skipped) return { block, skipped }
    const store = block.beside || block.until ? `sqlite:${join(this.#folder, `run-${this.#runs++}.db`)}` : 'memory:'
    const isCompanion = ({ document, file }: Block): boolean => document === block.document && file === block.beside
    const companion = block.beside === undefined ? undefined : this.blocks.find(isCompanion)
    try {
      if (block.beside && !companion) throw new Error(`There is no file ${block.beside} on this page.`)
      const other = companion && (await this.#start(companion, store))
      const said = await this.#start(block, store).then((program) => program.end())
      await other?.end()
      if (block.prints !== undefined && said.trim() !== block.prints.trim()) {
        return { block, problem: `It printed:\n${said}` }
      }
      return { block }
    } catch (error) {
      return { block, problem: (error as Error).message }
    }
  }

  /** Starts a program. One that doesn't end by itself is stopped once it has printed the expected text. */
  async #start(block: Block, store: string): Promise<{ end(): Promise<string> }> {
    const { until } = block
    const script = join(this.#folder, 'run', pathOf(block).replace(/\.ts$/, '.js'))
    const env = { ...process.env, NODE_OPTIONS: '', DRAMATIS_URL: store, DRAMATIS_LOG_LEVEL: until ? 'info' : 'silent' }
    const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, script], { cwd: dirname(script), env })
    let out = ''
    let all = ''
    let saidIt = (): void => {}
    const said = new Promise<void>((resolve) => {
      saidIt = resolve
    })
    const hear = (chunk: string): void => {
      all += chunk
      if (until && all.includes(until)) saidIt()
    }
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      out += chunk
      hear(chunk)
    })
    child.stderr.setEncoding('utf8').on('data', hear)
    const timer = setTimeout(() => child.kill('SIGKILL'), patience)
    const ended = new Promise<string>((resolve, reject) => {
      child.on('close', (code, signal) => {
        clearTimeout(timer)
        if (code === 0) resolve(out)
        else reject(new Error(`It ended with ${signal ?? `code ${code}`}, having said:\n${all}`))
      })
    })
    ended.catch(() => {})
    if (until) await Promise.race([said, ended])
    return {
      end: () => {
        if (until) child.kill('SIGTERM')
        return ended
      },
    }
  }

  /** Why a block can't be run here. */
  #missing({ needs }: Block): string | undefined {
    const server = needs && this.#servers.get(needs)
    return typeof server === 'string' ? server : undefined
  }

  async #startRedis(): Promise<{ url: string; process: ChildProcess } | string> {
    const port = await freePort()
    const options = ['--port', `${port}`, '--save', '', '--dir', this.#folder]
    const child = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'ignore'] })
    return new Promise((resolve, reject) => {
      child.on('error', (error) => {
        if (process.env.CI) reject(error)
        else resolve('there is no redis-server here')
      })
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        if (/ready to accept connections/i.test(text)) resolve({ url: `redis://localhost:${port}`, process: child })
      })
    })
  }

  /** The output of the compiler. */
  #tsc(...args: string[]): Promise<string> {
    const home = dirname(createRequire(join(this.root, 'package.json')).resolve('typescript/package.json'))
    return new Promise((resolve) => {
      execFile('env', ['-u', 'NODE_OPTIONS', process.execPath, join(home, 'bin', 'tsc'), ...args], (_, out) =>
        resolve(out),
      )
    })
  }
}

/** The path of a block in the folder of its page. */
function pathOf({ document, file, line, language }: Block): string {
  return join(document.replaceAll(/[^\w-]/g, '_'), file ?? `line-${line}.${language}`)
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
