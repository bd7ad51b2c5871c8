// What the file system says when it refuses.

/** Whether the system refused with this code: `ENOENT`, `EEXIST` … */
export function hasErrorCode(error: unknown, code: string): boolean {
  if (!(error instanceof Error)) return false
  // Node puts a code on its errors, which the type `Error` does not know.
  return (error as NodeJS.ErrnoException).code === code
}
