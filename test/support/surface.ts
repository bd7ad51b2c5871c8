// The public surface, as a stranger meets it: which types the doors' signatures name, and what has no docstring.
import {
  type Declaration,
  exportsOf,
  isNode,
  listOf,
  nodeOf,
  readSource,
  resolve,
  short,
  textOf,
} from './sources.ts'

type SyntaxNode = Declaration['node']

const isPrivate = (node: SyntaxNode): boolean =>
  node['accessibility'] === 'private' || nodeOf(node, 'key')?.type === 'PrivateIdentifier'

/** What stands in a signature: neither bodies nor default values, and nothing private. */
function signatureParts(node: SyntaxNode): readonly SyntaxNode[] {
  if (isPrivate(node)) return []
  const annotation = nodeOf(node, 'typeAnnotation') ?? nodeOf(nodeOf(node, 'id') ?? node, 'typeAnnotation')
  const hidden = new Set<string>()
  if (node.type === 'FunctionDeclaration' || node.type.endsWith('FunctionExpression')) hidden.add('body')
  if (node.type === 'AssignmentPattern') hidden.add('right')
  if (node.type === 'PropertyDefinition') hidden.add('value')
  if (node.type === 'VariableDeclarator' && annotation !== undefined) hidden.add('init')
  return Object.entries(node).flatMap(([member, value]) => {
    if (hidden.has(member)) return []
    return Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : []
  })
}

/** The names of types in a declaration's signature, in the words of its file. */
function typeNamesIn(node: SyntaxNode): readonly string[] {
  const own =
    node.type === 'TSTypeReference'
      ? [textOf(nodeOf(node, 'typeName'), 'name')]
      : node.type === 'TSInterfaceHeritage' || node.type === 'TSClassImplements'
        ? [textOf(nodeOf(node, 'expression'), 'name')]
        : node.type === 'ClassDeclaration'
          ? [textOf(nodeOf(node, 'superClass'), 'name')]
          : []
  return [...own, ...signatureParts(node).flatMap(typeNamesIn)].filter((name) => name !== '')
}

const key = ({ file, name }: Declaration): string => `${file}#${name}`

/** A type that a door's signatures name, and that the door does not export: a user cannot write its name. */
export function forgottenTypes(door: string): readonly string[] {
  const exported = [...exportsOf(door).values()]
  const nameable = new Set(exported.map(key))
  const forgotten = new Map<string, string>()
  const seen = new Set<string>()
  const queue: Declaration[] = [...exported]
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (seen.has(key(next))) continue
    seen.add(key(next))
    for (const name of typeNamesIn(next.node)) {
      const declaration = resolve(next.file, name)
      if (declaration === undefined) continue
      queue.push(declaration)
      if (!nameable.has(key(declaration)))
        forgotten.set(key(declaration), `${declaration.name} (${short(declaration.file)}), by ${next.name}`)
    }
  }
  return [...forgotten.values()].toSorted()
}

/** The members that a user of the type sees: of an interface, a class, or an alias of one object type. */
function membersOf({ node }: Declaration): readonly SyntaxNode[] {
  const body = node.type === 'TSTypeAliasDeclaration' ? nodeOf(node, 'typeAnnotation') : nodeOf(node, 'body')
  if (node.type !== 'TSTypeAliasDeclaration' && !/^(TSInterface|Class)Declaration$/.test(node.type)) return []
  if (body === undefined) return []
  return [...listOf(body, 'body'), ...listOf(body, 'members')].filter(
    (member) => !isPrivate(member) && member['kind'] !== 'constructor' && member['override'] !== true,
  )
}

/** Empty for a call signature, which the docstring of its type describes. */
const memberName = (member: SyntaxNode): string => {
  const named = nodeOf(member, 'key')
  return textOf(named, 'name') || textOf(named, 'value')
}

/** What a door exports without a docstring: exported names, and members of exported types. */
export function undocumented(door: string): readonly string[] {
  const missing = new Set<string>()
  for (const declaration of exportsOf(door).values()) {
    const source = readSource(declaration.file)
    const at = (line: number, name: string): string => `${short(declaration.file)}:${line} ${name}`
    if (declaration.doc === null) missing.add(at(declaration.line, declaration.name))
    const documented = new Set<string>()
    for (const member of membersOf(declaration)) {
      const name = memberName(member)
      // Further overloads, and the setter beside a getter, are told of by the first.
      if (source.docBefore(member.start) !== null) documented.add(name)
      else if (name !== '' && !documented.has(name))
        missing.add(at(source.lineOf(member.start), `${declaration.name}.${name}`))
    }
  }
  return [...missing].toSorted()
}

/** The members of an exported type by name, those that it extends among them, each with its docstring. */
export function membersByName(door: string, type: string): ReadonlyMap<string, string> {
  const declaration = exportsOf(door).get(type)
  return declaration === undefined ? new Map() : membersWithDocs(declaration)
}

function membersWithDocs(declaration: Declaration): ReadonlyMap<string, string> {
  const source = readSource(declaration.file)
  const inherited = typeNamesIn({ ...declaration.node, body: undefined, typeAnnotation: undefined })
    .map((name) => resolve(declaration.file, name))
    .filter((one) => one !== undefined)
    .flatMap((one) => [...membersWithDocs(one)])
  const own = membersOf(declaration).map(
    (member) => [memberName(member), source.docBefore(member.start) ?? ''] as const,
  )
  return new Map([...inherited, ...own])
}
