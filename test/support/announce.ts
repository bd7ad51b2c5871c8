// Says before the tests which counts they take, so that nobody takes a short run for the long one.
import { isLong } from './counts.ts'

export default function announce(): void {
  console.log(
    isLong
      ? 'Long counts (test/support/counts.ts).'
      : 'Short counts (test/support/counts.ts); the long ones, and failover between network namespaces: npm run test:long',
  )
}
