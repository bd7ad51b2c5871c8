// Signs in as one of two people, signs out, and sets the theme.
import { find, make, setText } from '../dom.ts'
import { callApi, session } from '../session.ts'
import { tell } from './banner.ts'

const people = [
  { id: 'ada', name: 'Ada' },
  { id: 'grace', name: 'Grace' },
] as const
const themes = ['system', 'light', 'dark'] as const

export function showAccount(): void {
  const place = find('#account', HTMLElement)
  const who = make('span', { class: 'who' })
  const buttons = people.map(({ id, name }) =>
    make(
      'button',
      { type: 'button', 'data-person': id, onclick: () => void signIn(id, remember.checked) },
      `Sign in as ${name}`,
    ),
  )
  const out = make('button', { type: 'button', id: 'sign-out', onclick: () => void signOut() }, 'Sign out')
  const theme = make(
    'select',
    { id: 'theme', 'aria-label': 'Theme', onchange: () => setTheme(theme.value) },
    ...themes.map((name) => make('option', { value: name }, `${name[0]?.toUpperCase()}${name.slice(1)}`)),
  )
  const remember = make('input', { type: 'checkbox', id: 'remember', checked: true })
  const remembering = make('label', { class: 'remember' }, remember, 'Remember me')
  place.append(who, ...buttons, remembering, out, theme)

  function show(): void {
    const user = session.get('user')
    setText(who, session.owner === null ? (user ?? '') : (user ?? session.owner))
    who.hidden = who.textContent === ''
    out.hidden = session.owner === null
    remembering.hidden = session.owner !== null
    for (const button of buttons) button.hidden = button.dataset['person'] === session.owner
    theme.value = session.get('theme')
    document.documentElement.dataset['theme'] = session.get('theme')
  }
  session.subscribe(show)
  session.on('owner', show)
  session.on('status', show)
  void session.ready.then(show)
}

async function signIn(person: string, remember: boolean): Promise<void> {
  try {
    await callApi('POST', '/api/sign-in', { person, remember })
    await session.pull()
    const until = remember ? '' : ' It ends when you close the browser.'
    tell(`Signed in as ${session.get('user') ?? person}, with a new session id.${until}`)
  } catch (error) {
    tell(String(error instanceof Error ? error.message : error), 'warning')
  }
}

async function signOut(): Promise<void> {
  const { server } = await session.signOut()
  tell(
    server === 'confirmed'
      ? 'Signed out, here and on the server.'
      : 'Signed out here. The server is told as soon as it can be reached.',
  )
}

function setTheme(value: string): void {
  const theme = themes.find((name) => name === value)
  if (theme !== undefined) session.set('theme', theme)
}
