// One collapsible panel of names and values. Changes only the cells that differ, so that nothing flickers.
import { make, setText } from '../dom.ts'

export interface Row {
  readonly name: string
  readonly value: string
  /** `pending`: the server has not acknowledged it yet. `bad`: something is wrong with it. */
  readonly tone?: 'pending' | 'bad' | 'good' | undefined
}

export interface Panel {
  readonly element: HTMLElement
  show(rows: readonly Row[]): void
}

export function panel(title: string, hint: string, isOpen: boolean): Panel {
  const list = make('dl', {})
  const count = make('span', { class: 'count' })
  const summary = make('summary', {}, make('span', { class: 'title' }, title), count)
  const element = make(
    'details',
    { class: 'panel', open: isOpen },
    summary,
    make('p', { class: 'hint' }, hint),
    list,
  )
  let cells: { row: HTMLElement; name: HTMLElement; value: HTMLElement }[] = []

  function resize(length: number): void {
    while (cells.length < length) {
      const name = make('dt', {})
      const value = make('dd', {})
      const row = make('div', {}, name, value)
      list.append(row)
      cells.push({ row, name, value })
    }
    for (const { row } of cells.slice(length)) row.remove()
    cells = cells.slice(0, length)
  }

  return {
    element,
    show(rows) {
      resize(rows.length)
      setText(count, rows.length === 0 ? 'empty' : '')
      cells.forEach(({ row, name, value }, index) => {
        const wanted = rows[index]
        if (wanted === undefined) return
        setText(name, wanted.name)
        setText(value, wanted.value)
        row.dataset['tone'] = wanted.tone ?? ''
      })
    },
  }
}
