// The doctor: shows what `session.diagnose()` finds. That asks the server and fetches the worker's script, so it runs only
// when the page has started and when somebody presses the button.
import { make } from '../dom.ts'
import { session } from '../session.ts'
import { type Panel, type Row, panel } from './panel.ts'

/** Milliseconds after which the worker has usually taken control of the page. */
const settling = 1500

export function doctor(isOpen: boolean): Panel {
  const shown = panel('Doctor', 'Mistakes that session.diagnose() finds, and what to do about them', isOpen)
  const button = make(
    'button',
    { type: 'button', id: 'examine', onclick: () => void examine() },
    'Look again',
  )
  shown.element.append(button)

  async function examine(): Promise<void> {
    button.disabled = true
    try {
      shown.show(rowsOf(await session.diagnose()))
    } catch {
      shown.show([
        {
          name: 'not here',
          value: 'The doctor could not be loaded: is there a network?',
          tone: 'bad',
        },
      ])
    }
    button.disabled = false
  }
  void session.ready.then(() => setTimeout(() => void examine(), settling))
  return shown
}

function rowsOf(findings: Awaited<ReturnType<typeof session.diagnose>>): readonly Row[] {
  if (findings.length === 0) return [{ name: 'all is well', value: 'nothing found', tone: 'good' }]
  return findings.map(({ code, severity, message, advice }) => ({
    name: code,
    value: `${message} ${advice}`,
    tone: severity === 'error' ? 'bad' : 'pending',
  }))
}
