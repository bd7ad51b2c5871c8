// Finds the variables that several tests of a file could change: a failing test would then break the ones after it.
import { readFileSync } from 'node:fs'
import { parseSync } from 'vite'
import { type SyntaxNode, isNode, listOf, nodeOf, textOf } from './sources.ts'

/** `let` and `var` at the top of a file and at the top of its `describe`s, as "line name". */
export function sharedVariables(file: string): readonly string[] {
  const text = readFileSync(file, 'utf8')
  const { program } = parseSync(file, text, { lang: 'ts' })
  const lineOf = (place: number): number => text.slice(0, place).split('\n').length
  const statements: readonly unknown[] = program.body
  return variablesIn(statements.filter(isNode)).map(({ start, name }) => `${lineOf(start)} ${name}`)
}

function variablesIn(statements: readonly SyntaxNode[]): readonly { start: number; name: string }[] {
  return statements.flatMap((statement) => {
    const declaration = nodeOf(statement, 'declaration') ?? statement
    if (declaration.type === 'VariableDeclaration')
      return textOf(declaration, 'kind') === 'const'
        ? []
        : listOf(declaration, 'declarations').map((one) => ({
            start: one.start,
            name: textOf(nodeOf(one, 'id'), 'name'),
          }))
    const call = nodeOf(statement, 'expression')
    if (call !== undefined) return rootOf(call) === 'describe' ? variablesIn(bodyOf(call)) : []
    // Tests may be declared in a block, such as that of an `if` or a loop.
    const blocks = ['body', 'consequent', 'alternate'].flatMap((member) => listOf(statement, member))
    return statement.type === 'FunctionDeclaration' || statement.type === 'ClassDeclaration'
      ? []
      : variablesIn(blocks)
  })
}

/** What is called: `describe` of `describe.each(table)(name, run)`. */
function rootOf(node: SyntaxNode): string {
  const inner = nodeOf(node, 'callee') ?? nodeOf(node, 'object') ?? nodeOf(node, 'tag')
  return inner === undefined ? textOf(node, 'name') : rootOf(inner)
}

/** The statements of the functions that a call is given. */
function bodyOf(call: SyntaxNode): readonly SyntaxNode[] {
  return listOf(call, 'arguments').flatMap((argument) => {
    const body = nodeOf(argument, 'body')
    return body === undefined ? [] : listOf(body, 'body')
  })
}
