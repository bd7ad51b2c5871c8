// One line that says what just happened. Screen readers read it aloud.
import { find, setText } from '../dom.ts'

let timer: ReturnType<typeof setTimeout> | undefined

export function tell(text: string, tone: 'note' | 'warning' = 'note'): void {
  const banner = find('#banner', HTMLElement)
  banner.hidden = false
  banner.dataset['tone'] = tone
  setText(banner, text)
  clearTimeout(timer)
  timer = setTimeout(() => {
    banner.hidden = true
  }, 6000)
}
