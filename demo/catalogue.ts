// What the shop sells. The pictures are SVG in this file, so that the demo loads nothing from elsewhere.

export interface Product {
  readonly id: string
  readonly name: string
  readonly line: string
  /** Whole cents. */
  readonly price: number
  readonly picture: string
}

const svg = (content: string): string =>
  `<svg viewBox="0 0 120 90" role="img" aria-hidden="true" focusable="false">${content}</svg>`

export const products: readonly Product[] = [
  {
    id: 'notebook',
    name: 'Field notebook',
    line: 'Stitched, 96 dotted pages',
    price: 1400,
    picture: svg(
      '<rect x="34" y="12" width="54" height="68" rx="4" fill="#2f5d50"/><rect x="34" y="12" width="10" height="68" rx="3" fill="#234a3f"/><rect x="54" y="26" width="24" height="14" rx="2" fill="#f3ead7"/><path d="M58 31h16M58 35h10" stroke="#2f5d50" stroke-width="1.6"/><path d="M80 12v68" stroke="#e0a458" stroke-width="2.5"/>',
    ),
  },
  {
    id: 'pencils',
    name: 'Cedar pencils',
    line: 'Set of three, HB to 4B',
    price: 900,
    picture: svg(
      '<g transform="rotate(-18 60 45)"><rect x="22" y="24" width="66" height="9" fill="#c8553d"/><path d="M88 24l14 4.5-14 4.5z" fill="#f0d9b5"/><path d="M97 27l5 1.5-5 1.5z" fill="#333"/><rect x="18" y="24" width="6" height="9" fill="#e8c7c0"/><rect x="22" y="40" width="66" height="9" fill="#e0a458"/><path d="M88 40l14 4.5-14 4.5z" fill="#f0d9b5"/><path d="M97 43l5 1.5-5 1.5z" fill="#333"/><rect x="18" y="40" width="6" height="9" fill="#f4dcb4"/><rect x="22" y="56" width="66" height="9" fill="#3a6ea5"/><path d="M88 56l14 4.5-14 4.5z" fill="#f0d9b5"/><path d="M97 59l5 1.5-5 1.5z" fill="#333"/><rect x="18" y="56" width="6" height="9" fill="#bfd3e6"/></g>',
    ),
  },
  {
    id: 'pen',
    name: 'Fountain pen',
    line: 'Steel nib, fine or medium',
    price: 3200,
    picture: svg(
      '<g transform="rotate(-35 60 45)"><rect x="14" y="38" width="56" height="14" rx="7" fill="#22303c"/><rect x="66" y="39" width="18" height="12" fill="#394b59"/><path d="M84 40l24 5-24 5z" fill="#d9b26f"/><path d="M90 45h14" stroke="#7d6436" stroke-width="1.4"/><rect x="30" y="36" width="28" height="3" rx="1.5" fill="#d9b26f"/></g>',
    ),
  },
  {
    id: 'ink',
    name: 'Harbour blue ink',
    line: '40 ml, washes out',
    price: 1100,
    picture: svg(
      '<rect x="48" y="12" width="24" height="14" rx="2" fill="#22303c"/><path d="M44 28h32l8 14v32a6 6 0 0 1-6 6H42a6 6 0 0 1-6-6V42z" fill="#d7e3ea"/><path d="M36 50h48v24a6 6 0 0 1-6 6H42a6 6 0 0 1-6-6z" fill="#2b5c8a"/><rect x="46" y="54" width="28" height="16" rx="2" fill="#f3ead7"/><path d="M51 60h18M51 64h11" stroke="#2b5c8a" stroke-width="1.6"/>',
    ),
  },
  {
    id: 'tape',
    name: 'Washi tape',
    line: 'Rice paper, ten metres',
    price: 500,
    picture: svg(
      '<circle cx="52" cy="48" r="28" fill="#e0a458"/><circle cx="52" cy="48" r="28" fill="none" stroke="#c8553d" stroke-width="5" stroke-dasharray="6 8"/><circle cx="52" cy="48" r="15" fill="#f6f1e7"/><circle cx="52" cy="48" r="15" fill="none" stroke="#b9853f" stroke-width="2"/><path d="M54 20h48v11H66z" fill="#e0a458"/><path d="M102 20l-3 3.6 3 3.7-3 3.7h3z" fill="#c98c43"/>',
    ),
  },
  {
    id: 'pad',
    name: 'Letter pad',
    line: 'Fifty sheets, deckle edge',
    price: 1250,
    picture: svg(
      '<g transform="rotate(6 60 45)"><rect x="32" y="14" width="58" height="66" fill="#e7dcc5"/><rect x="28" y="11" width="58" height="66" fill="#faf6ec"/><path d="M36 26h42M36 34h42M36 42h42M36 50h30" stroke="#c9bda3" stroke-width="1.8"/><rect x="28" y="11" width="58" height="7" fill="#c8553d"/></g>',
    ),
  },
]

export function priceOf(cents: number): string {
  return new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' }).format(cents / 100)
}
