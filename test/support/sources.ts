// What the sources declare, export and say about it, read from their text. The tests of the public surface and of
// names stand on this. Only relative imports are followed: a name of another package is nobody's declaration here.
import { readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parseSync } from 'vite'

export const root: string = join(import.meta.dirname, '../..')
export const src: string = join(root, 'src')

/** A node of the syntax tree. Its members are looked at by name, so they are unknown until checked. */
export interface SyntaxNode {
  readonly type: string
  readonly start: number
  readonly [member: string]: unknown
}

/** One name that a file declares at its top level. */
export interface Declaration {
  readonly name: string
  readonly file: string
  readonly line: number
  /** The text of the docstring before it, or null. */
  readonly doc: string | null
  readonly node: SyntaxNode
}

/** A name that comes from another file: `import { name } from file`. */
interface Origin {
  readonly file: string
  readonly name: string
}

/** One source file, as far as these tests ask. */
export interface SourceFile {
  readonly file: string
  readonly declared: ReadonlyMap<string, Declaration>
  readonly exported: ReadonlySet<string>
  readonly imported: ReadonlyMap<string, Origin>
  readonly reexported: ReadonlyMap<string, Origin & { readonly isType: boolean }>
  /** The files behind `export type * from`. */
  readonly reexportedWhole: readonly string[]
  /** Docstring by the place where the thing that it describes begins. */
  readonly docBefore: (place: number) => string | null
  readonly lineOf: (place: number) => number
}

export const isNode = (value: unknown): value is SyntaxNode =>
  typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'

const nodesIn = (value: unknown): readonly SyntaxNode[] =>
  Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : []

export const nodeOf = (node: SyntaxNode, member: string): SyntaxNode | undefined => nodesIn(node[member])[0]
export const listOf = (node: SyntaxNode, member: string): readonly SyntaxNode[] => nodesIn(node[member])
export const textOf = (node: SyntaxNode | undefined, member: string): string => {
  const value = node?.[member]
  return typeof value === 'string' ? value : ''
}

const cache = new Map<string, SourceFile>()

/** All TypeScript files below a folder, tests and declarations of Node's own kind included. */
export const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file))
    .toSorted()

/** The path as people write it, from the project's root. */
export const short = (file: string): string => relative(root, file)

/** The doors: the flat files of src/, each an `exports` key of package.json. */
export const doors = (): string[] =>
  readdirSync(src)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('-worker.ts'))
    .map((file) => join(src, file))
    .toSorted()

function declarationsIn(node: SyntaxNode): readonly (readonly [name: string, node: SyntaxNode])[] {
  if (node.type === 'VariableDeclaration')
    return listOf(node, 'declarations').map((one) => [textOf(nodeOf(one, 'id'), 'name'), one])
  const name = textOf(nodeOf(node, 'id'), 'name')
  return name === '' ? [] : [[name, node]]
}

export function readSource(file: string): SourceFile {
  const known = cache.get(file)
  if (known !== undefined) return known
  const text = readFileSync(file, 'utf8')
  const { program, comments } = parseSync(file, text, { lang: 'ts' })
  const docs = comments.filter(({ type, value }) => type === 'Block' && value.startsWith('*'))
  const docBefore = (place: number): string | null => {
    // A comment for the linter may stand between.
    const between = (end: number): string => text.slice(end, place).replaceAll(/^\s*\/\/.*$/gm, '')
    const doc = docs.findLast(({ end }) => end <= place && between(end).trim() === '')
    return doc === undefined ? null : doc.value.replaceAll(/^\s*\*+ ?/gm, '').trim()
  }
  const lineOf = (place: number): number => text.slice(0, place).split('\n').length
  const declared = new Map<string, Declaration>()
  const exported = new Set<string>()
  const imported = new Map<string, Origin>()
  const reexported = new Map<string, Origin & { isType: boolean }>()
  const reexportedWhole: string[] = []
  const declare = (node: SyntaxNode, statement: SyntaxNode): readonly string[] =>
    declarationsIn(node).map(([name, inner]) => {
      // The first of several overloads has the docstring.
      if (!declared.has(name))
        declared.set(name, {
          name,
          file,
          line: lineOf(statement.start),
          doc: docBefore(statement.start),
          node: inner,
        })
      return name
    })
  for (const statement of nodesIn(program.body)) {
    const from = textOf(nodeOf(statement, 'source'), 'value')
    const target = from.startsWith('.') ? join(file, '..', from) : from
    if (statement.type === 'ImportDeclaration') {
      for (const one of listOf(statement, 'specifiers'))
        imported.set(textOf(nodeOf(one, 'local'), 'name'), {
          file: target,
          name: textOf(nodeOf(one, 'imported'), 'name'),
        })
    } else if (statement.type === 'ExportNamedDeclaration') {
      const inner = nodeOf(statement, 'declaration')
      if (inner !== undefined) for (const name of declare(inner, statement)) exported.add(name)
      for (const one of listOf(statement, 'specifiers')) {
        const name = textOf(nodeOf(one, 'exported'), 'name')
        const local = textOf(nodeOf(one, 'local'), 'name')
        if (from === '') exported.add(local)
        else
          reexported.set(name, {
            file: target,
            name: local,
            isType: statement['exportKind'] === 'type' || one['exportKind'] === 'type',
          })
      }
    } else if (statement.type === 'ExportAllDeclaration') reexportedWhole.push(target)
    else declare(statement, statement)
  }
  const source = { file, declared, exported, imported, reexported, reexportedWhole, docBefore, lineOf }
  cache.set(file, source)
  return source
}

/** Where the name that this file uses is declared, or undefined for a name of a package or of the platform. */
export function resolve(file: string, name: string): Declaration | undefined {
  if (!file.startsWith(src)) return undefined
  const source = readSource(file)
  const own = source.declared.get(name)
  if (own !== undefined) return own
  const origin = source.reexported.get(name) ?? source.imported.get(name)
  return origin === undefined ? undefined : resolve(origin.file, origin.name)
}

/** What a file exports, by name, with the declaration behind it. `isType`: it can be used as a type only. */
export function exportsOf(file: string): ReadonlyMap<string, Declaration & { readonly isType: boolean }> {
  const { exported, reexported, reexportedWhole } = readSource(file)
  const named = [
    ...[...exported].map((name) => [name, false] as const),
    ...[...reexported].map(([name, { isType }]) => [name, isType] as const),
  ].flatMap(([name, isType]) => {
    const declaration = resolve(file, name)
    return declaration === undefined ? [] : [[name, { ...declaration, isType }] as const]
  })
  const whole = reexportedWhole.flatMap((from) =>
    [...exportsOf(from)].map(([name, declaration]) => [name, { ...declaration, isType: true }] as const),
  )
  // What is named wins over what comes with a whole file.
  return new Map([...whole, ...named])
}
