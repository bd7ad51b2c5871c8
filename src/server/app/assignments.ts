// What is assigned to a session itself would be lost, so it is refused. Costs nothing where nothing is assigned: the
// refusals stand on the prototype.
import { nearestName } from '../../protocol/check-options.ts'
import { type SessionSchema, definitionOf } from '../../protocol/schema.ts'
import type { SessionError } from '../../protocol/errors.ts'
import { invalidOption } from '../core/refusal.ts'

/**
 * Makes every assignment to an object of this class throw: to a name that it has not, and to one that it only shows.
 * @param prototype of a class whose members are getters and methods
 * @param schemaOf gives the schema of the session that is assigned to
 */
export function refuseAssignments(prototype: object, schemaOf: (session: object) => SessionSchema): void {
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (descriptor.get === undefined) continue
    Object.defineProperty(prototype, name, {
      ...descriptor,
      set() {
        throw invalidOption(readOnly(name))
      },
    })
  }
  // An assignment to a name that is nowhere goes up the prototypes until it meets this one.
  const handler: ProxyHandler<object> = {
    set(...[, name, , session]: [object, string | symbol, unknown, object]) {
      throw lost(String(name), schemaOf(session))
    },
  }
  Object.setPrototypeOf(prototype, new Proxy({}, handler))
}

/** Refuses what Express's sessions take, and nothing here would call. @throws SessionError `invalid-option` */
export function refuseCallback(method: string, callback: unknown): void {
  if (callback === undefined) return
  throw invalidOption(
    typeof callback === 'function'
      ? `session.${method} takes no callback: nothing would call it. Write what comes after it behind \`await session.save()\`.`
      : `session.${method} takes no arguments.`,
  )
}

const instead: Readonly<Record<string, string>> = {
  data: 'Set the keys in it, as in session.data.theme = …',
  owner: 'session.signIn(owner) names the owner',
  label: 'session.signIn(owner, { label }) gives the label',
}

function readOnly(name: string): string {
  return `session.${name} cannot be assigned to. ${instead[name] ?? 'It says what is, and changes by itself'}.`
}

function lost(name: string, schema: SessionSchema): SessionError {
  const start = `session.${name} = … stores nothing.`
  if (definitionOf(schema, name) !== undefined)
    return invalidOption(`${start} Write session.set('${name}', …), or session.data.${name} = …`)
  const nearest = nearestName(name, Object.keys(schema.keys))
  const hint = nearest === undefined ? 'Add it with defineSession.' : `Did you mean "${nearest}"?`
  const key = nearest ?? name
  return invalidOption(
    `${start} The schema has no key "${name}". ${hint} Then write session.set('${key}', …), or session.data.${key} = …`,
  )
}
