// Reading Cache-Control by its directives (RFC 9111, 5.2). Words inside of a value, or of another directive's name, say
// nothing.

/** A run without commas, where text in quotes counts as one piece, also when its end is missing. */
const listMember = /(?:[^",]|"(?:[^"\\]|\\.)*"?)+/g

/**
 * Whether `value` has the directive `name` (lower-case) without an argument. `private="set-cookie"` keeps one field
 * private, not the answer.
 */
export function hasDirective(value: string | undefined, name: string): boolean {
  if (value === undefined) return false
  const members = value.match(listMember) ?? []
  return members.some((member) => member.trim().toLowerCase() === name)
}
